"""The provider over gRPC as the engine calls it: previews, secrets, errors as one sentence, cancellation."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.provider.experimental import provider as protocol
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from features.errors import PersonalizationError
from steps import server
from steps.descriptions.description import Description, Secret, StepInputs, StepOutputs
from steps.kinds import Kind, Place
from steps.provider import values
from steps.provider.provider import Report, StepsProvider
from steps.provider.step import Context, Created, State, Step
from steps.server import ErrorsAsStatuses

URN = "urn:pulumi:test::personalization::personalization:serving:ScoringService$personalize:local:ApiKey::key"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's own mark of a value that a preview cannot know."""
SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key by which Pulumi marks a secret value


class Inputs(StepInputs):
    """A step's inputs: what it is to do."""

    does: str


class Outputs(StepOutputs):
    """What a step computes."""

    current: Secret[str]
    previous: str


class Scripted(Step[Inputs, Outputs]):
    """A step that does what its input says, each a way in which a real one may end."""

    description = Description(kind=Kind.API_KEY, inputs=Inputs, outputs=Outputs, replaced_by=frozenset({"does"}))

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """Succeed, fail in a known or in an unknown way, or wait for the interruption."""
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
        """Gone, always."""
        del identity, state, context
        return None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing."""


@asynccontextmanager
async def served(report: Report) -> AsyncIterator[Any]:
    """A client of the provider on a real socket."""
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
    """What `use` returns with a client of a fresh provider."""

    async def main() -> Any:
        async with served(report) as client:
            return await use(client)

    return asyncio.run(main())


def properties(**values: object) -> struct_pb2.Struct:
    """Properties as the engine sends them."""
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def created(does: str, *, preview: bool = False) -> Any:
    """The answer to a create request."""
    request = provider_pb2.CreateRequest(urn=URN, properties=properties(does=does), preview=preview)
    return call(lambda client: client.Create(request))


def failure(does: str) -> grpc.aio.AioRpcError:
    """How a create request fails."""
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
    sent = values.properties({"rows": 3, "rate": 0.5, "each": [2, {"percent": 10}], "on": True}, frozenset())
    assert sent["rows"].value == 3.0  # the wire has one kind of number
    assert repr(values.plain(sent)) == "{'rows': 3, 'rate': 0.5, 'each': [2, {'percent': 10}], 'on': True}"


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
    """A killed engine says nothing: its provider notices that it has another parent."""
    parents = [1]
    ended: list[str] = []
    begun = threading.Event()

    class Waiting(Scripted):
        def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
            begun.set()
            ended.append("cancelled" if context.cancelled.wait(timeout=20) else "went on")
            return super().create(inputs, context)

    monkeypatch.setattr(server, "local_steps", lambda: {Kind.API_KEY: Waiting()})
    monkeypatch.setattr(server, "ENGINE_CHECK_SECONDS", 0.01)
    monkeypatch.setattr("os.getppid", lambda: parents[0])

    async def main() -> None:
        serving = asyncio.create_task(server.serve("127.0.0.1:1"))
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


def test_a_changed_input_that_replaces_says_so() -> None:
    request = provider_pb2.DiffRequest(urn=URN, olds=properties(does="a"), news=properties(does="b"))
    answer = call(lambda client: client.Diff(request))
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.replaces) == ["does"]


def test_equal_inputs_change_nothing() -> None:
    request = provider_pb2.DiffRequest(urn=URN, olds=properties(does="a", current="k"), news=properties(does="a"))
    assert call(lambda client: client.Diff(request)).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_bad_inputs_are_refused_by_name() -> None:
    request = provider_pb2.CheckRequest(urn=URN, news=properties(other="a"))
    answer = call(lambda client: client.Check(request))
    assert [found.property for found in answer.failures] == ["does"]


def test_a_resource_that_is_gone_has_no_id() -> None:
    request = provider_pb2.ReadRequest(urn=URN, id="one", properties=properties(does="a"))
    assert call(lambda client: client.Read(request)).id == ""


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


def test_the_steps_of_a_place_are_made_when_the_first_of_them_is_needed() -> None:
    made: list[Place] = []

    def catalogue(place: Place) -> Callable[[], dict[Kind, Step[Any, Any]]]:
        def make() -> dict[Kind, Step[Any, Any]]:
            made.append(place)
            return {Kind.API_KEY: Scripted()}

        return make

    provider = StepsProvider({place: catalogue(place) for place in Place}, lambda *_: None)
    request = protocol.CheckRequest(urn=URN, old_inputs={}, new_inputs={}, random_seed=b"")
    for _ in range(2):
        failures = asyncio.run(provider.check(request)).failures or []
        assert [failure.property for failure in failures] == ["does"]
    assert made == [Place.LOCAL]
