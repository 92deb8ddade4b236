"""The provider over gRPC, called as the engine calls it: previews, secrets, one-sentence errors, and running steps."""

import asyncio
import errno
import os
import re
import shutil
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from azure_clients.retries import Context
from features.files import written_aside
from steps import provider, server
from steps.catalogue import azure_steps, local_steps
from steps.provider import StepsProvider
from steps.server import status_of
from steps.step import Created, Kind, Place, Step
from tests.steps.provider.scripted import URN, Inputs, Outputs, Scripted, call, properties

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's marker for a value that a preview cannot know."""
SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key by which Pulumi marks a secret value


def created(does: str, *, preview: bool = False) -> Any:
    request = provider_pb2.CreateRequest(urn=URN, properties=properties(does=does), preview=preview)
    return call(lambda client: client.Create(request))


def failure(does: str) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        created(does)
    return caught.value


def test_create_returns_inputs_and_computed_values() -> None:
    answer = created("succeed")
    assert answer.id == "one"
    assert answer.properties["does"] == "succeed"
    assert answer.properties["previous"] == ""


def test_a_secret_is_marked_as_one() -> None:
    secret = created("succeed").properties["current"]
    assert SECRET_MARK in secret
    assert secret["value"] == "key"


def test_whole_numbers_arrive_as_integers_and_others_as_they_are() -> None:
    sent = provider.properties({"rows": 3, "rate": 0.5, "each": [2, {"percent": 10}], "on": True}, frozenset())
    assert sent["rows"].value == 3.0  # protobuf has only one type of number
    assert repr(provider.plain(sent)) == "{'rows': 3, 'rate': 0.5, 'each': [2, {'percent': 10}], 'on': True}"


def test_a_preview_does_nothing_and_knows_no_computed_value() -> None:
    answer = created("fail", preview=True)
    assert answer.id == ""
    assert answer.properties["previous"] == UNKNOWN


def test_a_preview_of_a_change_does_not_take_old_values_for_new_ones() -> None:
    olds = properties(does="succeed", current="old key", previous="old")
    request = provider_pb2.UpdateRequest(urn=URN, id="one", olds=olds, news=properties(does="report"), preview=True)
    answer = call(lambda client: client.Update(request))
    assert answer.properties["does"] == "report"
    assert answer.properties["previous"] == UNKNOWN
    assert answer.properties["current"]["value"] == UNKNOWN


def test_a_known_error_is_its_sentence() -> None:
    error = failure("fail")
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "The disk is full. Free some space and run again."


def test_an_unknown_error_is_one_line_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    error = failure("break")
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "division by zero" in str(error.details())
    assert "\n" not in str(error.details())
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_changed_input_that_replaces_says_so() -> None:
    request = provider_pb2.DiffRequest(urn=URN, olds=properties(does="a"), news=properties(does="b"))
    answer = call(lambda client: client.Diff(request))
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.replaces) == ["does"]


def test_bad_inputs_are_refused_by_name() -> None:
    request = provider_pb2.CheckRequest(urn=URN, news=properties(other="a"))
    answer = call(lambda client: client.Check(request))
    assert [found.property for found in answer.failures] == ["does"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_not_reported_as_a_defect(number: int) -> None:
    error = RuntimeError("the step failed")
    error.__cause__ = OSError(number, os.strerror(number), "/disk/state/runs/1")
    code, text = status_of(error)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert text == "The disk is full at /disk/state/runs/1. Free some space and run again."


@pytest.mark.parametrize(
    "error",
    [
        shutil.Error([("a", "/disk/b", "[Errno 28] No space left on device: '/disk/b'")]),
        sqlite3.OperationalError("database or disk is full"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
    ids=["a copied folder", "a database", "a file that is written"],
)
def test_a_full_disk_is_named_whatever_was_written(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as raised, written_aside(tmp_path / "made"):
        raise error
    text = status_of(raised.value)[1]
    assert re.fullmatch(r"The disk is full(?: at|:) .+\. Free some space and run again\.", text)
    assert (str(tmp_path / "made") in text) is (type(error) is OSError)


@pytest.mark.parametrize("step", [*local_steps().values(), *azure_steps().values()], ids=lambda step: step.token())
def test_a_state_has_each_name_once_and_what_replaces_is_an_input(step: Step[Any, Any]) -> None:
    assert not step.inputs.model_fields.keys() & step.outputs.model_fields.keys()
    assert step.replaced_by <= step.inputs.model_fields.keys()


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
