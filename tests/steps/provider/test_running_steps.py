"""Running steps: cancellation, a dead engine, concurrency, and progress reports."""

import asyncio
import threading
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from azure_clients.retries import Context
from steps import server
from steps.provider import StepsProvider
from steps.step import Created, Kind, Place
from tests.steps.provider.scripted import URN, Inputs, Outputs, Scripted, call, properties


def test_cancel_ends_a_running_step() -> None:
    begun = threading.Event()

    async def interrupt(client: Any) -> None:
        running = client.Create(provider_pb2.CreateRequest(urn=URN, properties=properties(does="wait")))
        await asyncio.to_thread(begun.wait, 30)
        await client.Cancel(empty_pb2.Empty())
        await running

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        call(interrupt, lambda *_: begun.set())
    assert caught.value.code() is grpc.StatusCode.CANCELLED


def test_a_step_ends_when_its_engine_is_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed engine sends nothing; its provider notices that its parent process has changed."""
    parents = [1]
    ended: list[str] = []
    begun = threading.Event()

    class Waiting(Scripted):
        def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
            begun.set()
            ended.append("cancelled" if context.cancelled.wait(timeout=20) else "went on")
            return super().create(inputs, context)

    provider = StepsProvider({Place.LOCAL: lambda: {Kind.API_KEY: Waiting()}}, lambda *_: None)
    monkeypatch.setattr(server, "ENGINE_CHECK_SECONDS", 0.01)
    monkeypatch.setattr("os.getppid", lambda: parents[0])

    async def main() -> None:
        serving = asyncio.create_task(server.serve(provider, server.VERSION, "127.0.0.1:1"))
        while not (port := capsys.readouterr().out.strip()):  # noqa: ASYNC110 - a line on standard output is no event
            await asyncio.sleep(0.01)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            client = provider_pb2_grpc.ResourceProviderStub(channel)
            running = client.Create(provider_pb2.CreateRequest(urn=URN, properties=properties(does="succeed")))
            assert await asyncio.to_thread(begun.wait, 20)
            parents[0] = 2
            await serving
            with suppress(grpc.aio.AioRpcError):
                await running

    asyncio.run(main())  # waits for the step's thread
    assert ended == ["cancelled"]


def test_progress_is_reported_beside_the_resource() -> None:
    reports: list[tuple[str, str]] = []
    request = provider_pb2.CreateRequest(urn=URN, properties=properties(does="report"))
    call(lambda client: client.Create(request), lambda *report: reports.append(report))
    assert reports == [(URN, "half done")]


def test_steps_run_beside_one_another() -> None:
    barrier = threading.Barrier(2, timeout=30)

    async def both(client: Any) -> None:
        request = provider_pb2.CreateRequest(urn=URN, properties=properties(does="meet"))
        await asyncio.gather(client.Create(request), client.Create(request))

    original = Scripted.create

    def meet(self: Scripted, inputs: Inputs, context: Context) -> Created[Outputs]:
        barrier.wait()
        return original(self, inputs, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scripted, "create", meet)
        call(both)
