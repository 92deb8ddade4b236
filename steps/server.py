"""The provider's process: serves Pulumi's engine until the engine ends.

Only here errors become gRPC statuses: the engine shows a status as its message, but an exception as
"Unexpected <class ...>" with a traceback.
"""

import asyncio
import os
import sqlite3
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from pulumi.provider.experimental.provider import Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc

from azure_clients.retries import StepCancelledError
from features.errors import PersonalizationError, reason
from features.files import no_space
from steps.catalogue import azure_steps, local_steps
from steps.provider import Report, StepsProvider
from steps.step import Place

VERSION = "0.1.0"
UNLIMITED = -1
MESSAGE_OPTIONS = [("grpc.max_receive_message_length", UNLIMITED), ("grpc.max_send_message_length", UNLIMITED)]
ENGINE_CHECK_SECONDS = 1.0


class ErrorsAsStatuses(grpc.aio.ServerInterceptor):
    """Converts a step's exception into a status with one sentence."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:  # noqa: ANN401 - the stubs make this generic, the class is not
        """Wrap the called method."""
        handler = await continuation(details)

        async def call(request: Any, context: Any) -> Any:  # noqa: ANN401 - protobuf messages
            try:
                return await handler.unary_unary(request, context)
            except Exception as error:  # noqa: BLE001 - the boundary of the process: everything must become a status
                await context.abort(*status_of(error))

        return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """Code and message for an error. Pulumi's server raises errors that have the step's error as context."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case StepCancelledError():
                return grpc.StatusCode.CANCELLED, str(cause)
            case PersonalizationError():
                return grpc.StatusCode.FAILED_PRECONDITION, str(cause)
            case OSError() | sqlite3.Error() if said := no_space(cause):
                return grpc.StatusCode.FAILED_PRECONDITION, said
            case NotImplementedError():
                return grpc.StatusCode.UNIMPLEMENTED, str(cause)
        cause = cause.__cause__ or cause.__context__
    traceback.print_exception(error)
    return grpc.StatusCode.INTERNAL, f"A step failed in a way that nobody foresaw: {reason(error)}. Please report it."


async def serve(provider: Provider, version: str, engine_address: str) -> None:
    """Serve the engine at `engine_address` (host:port) until it ends."""
    server = grpc.aio.server(interceptors=[ErrorsAsStatuses()], options=MESSAGE_OPTIONS)
    servicer = ProviderServicer(sys.argv, version, provider, engine_address=engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    engine = os.getppid()
    while os.getppid() == engine:  # noqa: ASYNC110 - nothing signals that a parent ended
        await asyncio.sleep(ENGINE_CHECK_SECONDS)
    # A killed engine can't cancel: stop the running steps as Ctrl-C would, so that no training run is left.
    await provider.cancel()
    await server.stop(grace=None)


def _reporter(engine_address: str) -> Report:
    """Shows lines by the engine's log; `ephemeral` ones appear next to the resource during the operation."""
    engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine_address))
    lock = threading.Lock()

    def report(urn: str, message: str) -> None:
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn, ephemeral=True)
        try:
            with lock:
                engine.Log(request)
        except grpc.RpcError:
            return  # the engine has ended or is ending, so nobody reads these lines

    return report


if __name__ == "__main__":
    catalogues = {Place.LOCAL: local_steps, Place.AZURE: azure_steps}
    asyncio.run(serve(StepsProvider(catalogues, _reporter(sys.argv[1])), VERSION, sys.argv[1]))
