"""A Pulumi provider plugin: translates the engine's calls for a `Cloud`."""

import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Any

from pulumi.provider.experimental import provider as protocol
from pulumi.provider.experimental.property_value import PropertyValue

from steps.provider import UNKNOWN, difference, plain, properties
from steps.server import serve
from tests.simulation.cloud import Cloud
from tests.simulation.world import Record, RefusedError

INPUTS = "__inputs"
"""The state's field with the inputs, as in azure-native."""


class SimulatedProvider(protocol.Provider):
    """Serves one package's resources from a `Cloud`."""

    def __init__(self, cloud: Cloud) -> None:
        """Waits for operations until the cloud says that they end."""
        self._cloud = cloud
        self._cancelled = asyncio.Event()

    async def configure(self, request: protocol.ConfigureRequest) -> protocol.ConfigureResponse:
        self._cloud.configure(plain(request.args))
        return await super().configure(request)

    async def diff(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        """Compare with the inputs in the state."""
        old, new = _old_inputs(request.old_state), plain(request.new_inputs)
        changed, replaces = self._cloud.changes(_type(request.urn), old, new)
        found = difference(changed, replaces, changed)
        found.delete_before_replace = bool(replaces)  # as both providers do for names that the program chose
        return found

    async def create(self, request: protocol.CreateRequest) -> protocol.CreateResponse:
        """Create the resource and wait until it's ready."""
        if request.preview:
            # Azure may add to an object that it gets, so a preview does not know what is in it.
            given = plain(request.properties)
            shown = {name: UNKNOWN if isinstance(value, dict) else value for name, value in given.items()}
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


async def serve_cloud(cloud: Cloud, version: str) -> None:
    """Answer the engine until it ends."""
    await serve(SimulatedProvider(cloud), version, sys.argv[1])
