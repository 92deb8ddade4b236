"""The provider over gRPC, called as the engine calls it, with a scripted step."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.protobuf import struct_pb2
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc

from azure_clients.retries import Context
from features.errors import PersonalizationError
from steps.provider import Report, StepsProvider
from steps.server import ErrorsAsStatuses
from steps.step import Created, Kind, Place, Secret, State, Step, StepInputs, StepOutputs

URN = "urn:pulumi:test::personalization::personalization:serving:ScoringService$personalize:local:ApiKey::key"


class Inputs(StepInputs):
    """A step's inputs: the name of what it should do."""

    does: str


class Outputs(StepOutputs):
    current: Secret[str]
    previous: str


class Scripted(Step[Inputs, Outputs]):
    """A step whose input selects one of the ways in which a real step may end."""

    kind = Kind.API_KEY
    replaced_by = frozenset({"does"})

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """Succeed, fail with a known or an unknown error, or wait for an interruption."""
        match inputs.does:
            case "fail":
                raise PersonalizationError("The disk is full. Free some space and run again.")
            case "break":
                raise ZeroDivisionError("division by zero")
            case "report":
                context.report("half done")
            case "wait":
                context.report("waiting")
                context.cancelled.wait(timeout=30)
                context.raise_if_cancelled()
        return Created("one", Outputs(current="key", previous=""))

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """Report the resource as gone."""
        del identity, state, context
        return None


@asynccontextmanager
async def served(report: Report) -> AsyncIterator[Any]:
    """A client of the provider, over a real socket."""
    server = grpc.aio.server(interceptors=[ErrorsAsStatuses()])
    provider = StepsProvider({Place.LOCAL: lambda: {Kind.API_KEY: Scripted()}}, report)
    servicer = ProviderServicer([], "0.0.0", provider, engine_address="")
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
    await server.stop(None)


def call(use: Callable[[Any], Awaitable[Any]], report: Report = lambda *_: None) -> Any:
    """Call `use` with a client of a new provider and return its result."""

    async def main() -> Any:
        async with served(report) as client:
            return await use(client)

    return asyncio.run(main())


def properties(**values: object) -> struct_pb2.Struct:
    """Properties in the form that the engine sends."""
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct
