"""A Pulumi provider plugin for a simulated cloud: translates the engine's calls for a `Cloud`."""

import asyncio
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from pulumi.provider.experimental import provider as protocol
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc

from steps.provider import plain, properties
from tests.simulation.resource_manager.bodies import Problem
from tests.simulation.world import Record, RefusedError

INPUTS = "__inputs"
"""The state's field with the inputs, as in azure-native."""
UNLIMITED = -1
MESSAGE_OPTIONS = [("grpc.max_receive_message_length", UNLIMITED), ("grpc.max_send_message_length", UNLIMITED)]
ENGINE_CHECK_SECONDS = 1.0


@dataclass(frozen=True)
class Difference:
    """Changed inputs, and those of them that replace the resource."""

    changed: frozenset[str]
    replaces: frozenset[str]


class Cloud(ABC):
    """What a plugin needs from a simulated cloud. Every method raises `RefusedError` to refuse."""

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the provider's settings."""
        del settings

    def problems(self, token: str, inputs: Mapping[str, Any]) -> list[Problem]:
        """What is wrong with the inputs, whatever exists. Databricks publishes no models of its bodies."""
        del token, inputs
        return []

    def foreseen(self, token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What a preview shows for a new resource."""
        del token
        return dict(inputs)

    @abstractmethod
    def diff(self, token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
        """Which inputs changed, and which of them replace the resource."""

    @abstractmethod
    def create(self, token: str, inputs: Mapping[str, Any]) -> Record:
        """Create a resource; it's ready at `Record.ready`."""

    @abstractmethod
    def update(self, token: str, identity: str, inputs: Mapping[str, Any]) -> Record:
        """Change a resource in place."""

    @abstractmethod
    def read(self, token: str, identity: str) -> Record | None:
        """The resource as a later read returns it, or None."""

    @abstractmethod
    def delete(self, token: str, identity: str) -> float:
        """Delete a resource, and return when it will be gone. Deleting one that is gone is no error."""

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function."""
        raise RefusedError(400, "UnknownFunction", f"The simulation has no {token} (called with {sorted(arguments)}).")


class SimulatedProvider(protocol.Provider):
    """Serves one package's resources from a `Cloud`."""

    def __init__(self, cloud: Cloud) -> None:
        """Waits for operations until the cloud says that they end."""
        self._cloud = cloud
        self._cancelled = asyncio.Event()

    async def configure(self, request: protocol.ConfigureRequest) -> protocol.ConfigureResponse:
        """Pass the provider's settings on."""
        self._cloud.configure(plain(request.args))
        return await super().configure(request)

    async def check(self, request: protocol.CheckRequest) -> protocol.CheckResponse:
        """Report in a preview already what a service would refuse in the body."""
        problems = self._cloud.problems(_type(request.urn), plain(request.new_inputs))
        failures = [protocol.CheckFailure(problem.path, problem.reason) for problem in problems]
        return protocol.CheckResponse(inputs=request.new_inputs, failures=failures)

    async def diff(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        """Compare with the inputs in the state."""
        found = self._cloud.diff(_type(request.urn), _old_inputs(request.old_state), plain(request.new_inputs))
        return protocol.DiffResponse(
            changes=bool(found.changed),
            diffs=sorted(found.changed),
            replaces=sorted(found.replaces),
            delete_before_replace=bool(found.replaces),  # as both providers do for names that the program chose
            detailed_diff={
                name: protocol.PropertyDiff(
                    protocol.PropertyDiffKind.UPDATE_REPLACE
                    if name in found.replaces
                    else protocol.PropertyDiffKind.UPDATE,
                    input_diff=True,
                )
                for name in found.changed
            },
        )

    async def create(self, request: protocol.CreateRequest) -> protocol.CreateResponse:
        """Create the resource and wait until it's ready."""
        if request.preview:
            shown = self._cloud.foreseen(_type(request.urn), plain(request.properties))
            return protocol.CreateResponse("", properties(shown, _secret_names(request.properties)))
        record = await asyncio.to_thread(self._cloud.create, _type(request.urn), plain(request.properties))
        await self._wait(record.ready)
        return protocol.CreateResponse(record.id, _state(record, request.properties))

    async def update(self, request: protocol.UpdateRequest) -> protocol.UpdateResponse:
        """Change the resource and wait until it's ready."""
        if request.preview:
            return protocol.UpdateResponse(request.news)
        token, inputs = _type(request.urn), plain(request.news)
        record = await asyncio.to_thread(self._cloud.update, token, request.resource_id, inputs)
        await self._wait(record.ready)
        return protocol.UpdateResponse(_state(record, request.news))

    async def read(self, request: protocol.ReadRequest) -> protocol.ReadResponse:
        """Read the record, for a refresh or an import; an empty id means that the resource doesn't exist."""
        record = await asyncio.to_thread(self._cloud.read, _type(request.urn), request.resource_id)
        if record is None:
            return protocol.ReadResponse("", {}, {})
        secrets = request.properties or request.inputs
        inputs = properties(record.inputs, _secret_names(secrets))
        return protocol.ReadResponse(record.id, _state(record, secrets), inputs)

    async def delete(self, request: protocol.DeleteRequest) -> None:
        """Delete the resource and wait until it's gone."""
        gone = await asyncio.to_thread(self._cloud.delete, _type(request.urn), request.resource_id)
        await self._wait(gone)

    async def invoke(self, request: protocol.InvokeRequest) -> protocol.InvokeResponse:
        """Call a function of the package."""
        answer = await asyncio.to_thread(self._cloud.invoke, request.tok, plain(request.args))
        return protocol.InvokeResponse(properties(answer, frozenset()))

    async def cancel(self) -> None:
        """Ctrl-C: stop waiting. The cloud finishes what it has begun, as Azure does."""
        self._cancelled.set()

    async def _wait(self, until: float) -> None:
        try:
            await asyncio.wait_for(self._cancelled.wait(), max(0.0, until - time.time()))
        except TimeoutError:
            return
        raise RefusedError(0, "Cancelled", "The operation was cancelled while Azure was still working on it.")


def _type(urn: str) -> str:
    """The resource's own type: the URN's type starts with its parents' types."""
    return urn.split("::")[2].rpartition("$")[2]


def _old_inputs(state: Mapping[str, PropertyValue]) -> dict[str, Any]:
    kept = state.get(INPUTS)
    return dict(plain(kept.value)) if kept is not None and isinstance(kept.value, Mapping) else {}


def _secret_names(values: Mapping[str, PropertyValue]) -> frozenset[str]:
    return frozenset(name for name, value in values.items() if value.contains_secret())


def _state(record: Record, given: Mapping[str, PropertyValue]) -> dict[str, PropertyValue]:
    secrets = _secret_names(given)
    inputs = PropertyValue(properties(record.inputs, secrets)).with_secret(bool(secrets))
    return {**properties({**record.inputs, **record.outputs}, secrets), INPUTS: inputs}


class RefusalsAsStatuses(grpc.aio.ServerInterceptor):
    """Passes the cloud's refusals on; any other exception is an error of the simulation and keeps its traceback."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """Wrap the method that is about to be called."""
        handler = await continuation(details)

        async def call(request: Any, context: Any) -> Any:
            try:
                return await handler.unary_unary(request, context)
            except Exception as error:
                refusal = error.__context__
                if not isinstance(refusal, RefusedError):
                    raise
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(refusal))

        return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)


async def serve(cloud: Cloud, version: str) -> None:
    """Answer the engine until it ends."""
    server = grpc.aio.server(interceptors=[RefusalsAsStatuses()], options=MESSAGE_OPTIONS)
    servicer = ProviderServicer(sys.argv, version, SimulatedProvider(cloud), engine_address=sys.argv[1])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await _engine_gone(os.getppid())
    await server.stop(grace=None)


async def _engine_gone(engine: int) -> None:
    while os.getppid() == engine:  # noqa: ASYNC110 - a process gets no event when its parent ends
        await asyncio.sleep(ENGINE_CHECK_SECONDS)
