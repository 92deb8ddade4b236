"""Verification on a real subscription: it continues where it stopped, and records Azure's answers."""

from collections.abc import Callable
from typing import Any

import pytest

from features.errors import PersonalizationError, reason
from personalize.engine.events import Phase, StepUpdate
from personalize.engine.outcome import Outcome
from personalize.errors import UpdateInterruptedError
from personalize.verify import bench as bench_module
from personalize.verify.bench import Bench
from personalize.verify.record import Record, RecordUnusableError, SeenRecord, assumptions, record_file
from personalize.verify.runner import NoSuchStageError, StackIsUpError, refuse_a_stack_in_use, run, wanted
from personalize.verify.stage import Seen
from personalize.verify.stages import STAGES
from personalize.verify.stages.canary import CANARY
from personalize.verify.stages.life import waited
from personalize.verify.stages.subscription import SUBSCRIPTION
from tests.personalize.subscription.conftest import SUBSCRIPTION as ID
from tests.personalize.subscription.verification import empty, failing, ran, stage
from tools.paths import ROOT

NOTHING = Outcome(changes={}, steps={}, outputs={}, secret=frozenset(), seconds=0.0)


pytestmark = pytest.mark.usefixtures("own_folder")


# The list of assumptions


def test_every_assumption_is_looked_at_by_its_stage_or_by_a_person() -> None:
    looked = {name: stage.name for stage in STAGES for name in stage.looks}
    assert {name: one.stage for name, one in assumptions().items() if one.by_hand is None} == looked


def test_every_assumption_names_files_that_rely_on_it_and_a_stage() -> None:
    names = {stage.name for stage in STAGES}
    missing = [file for one in assumptions().values() for file in one.relied_on if not (ROOT / file).is_file()]
    assert missing == []
    assert {one.stage for one in assumptions().values()} <= names
    assert len(assumptions()) > 40


def test_stages_end_with_nothing_left() -> None:
    assert [stage.name for stage in STAGES][-1] == "destroy"
    changing = [stage.name for stage in STAGES if stage.changes]
    assert changing == ["bootstrap", "up", "training", "again", "pause", "destroy"]
    assert [stage.name for stage in STAGES if stage.trains] == ["canary"]


# The order of stages


def test_a_verification_begins_with_the_first_stage_that_is_not_done() -> None:
    stages = [stage("a"), stage("b"), stage("c")]
    assert [one.name for one in wanted(stages, empty(), begin=None, only=None)] == ["a", "b", "c"]
    assert [one.name for one in wanted(stages, ran("a"), begin=None, only=None)] == ["b", "c"]
    assert [one.name for one in wanted(stages, ran("a", "b", status="failed"), begin=None, only=None)] == [*"abc"]
    assert wanted(stages, ran("a", "b", "c"), begin=None, only=None) == []


def test_a_stage_can_be_chosen() -> None:
    stages = [stage("a"), stage("b"), stage("c")]
    assert [one.name for one in wanted(stages, ran("a", "b", "c"), begin="b", only=None)] == ["b", "c"]
    assert [one.name for one in wanted(stages, ran("a", "b", "c"), begin=None, only="b")] == ["b"]
    with pytest.raises(NoSuchStageError, match=r"no stage `d`\. The stages are a, b, c"):
        wanted(stages, empty(), begin="d", only=None)


def test_a_stage_that_fails_is_the_last_and_is_written_down(bench: Bench) -> None:
    record = run([stage("a"), stage("b", failing), stage("c")], bench, empty(), lambda _: None)
    assert {name: one.status for name, one in record.stages.items()} == {"a": "done", "b": "failed"}
    assert Record.of("dev", ID) == record
    assert record.stages["b"].said == "Azure said no."
    assert [one.name for one in wanted([stage(name) for name in "abc"], record, begin=None, only=None)] == ["b", "c"]


@pytest.mark.parametrize("ended", [KeyboardInterrupt, UpdateInterruptedError])
def test_an_interrupted_verification_ends_as_such_and_repeats_the_stage(
    bench: Bench, ended: type[BaseException]
) -> None:
    def interrupted(_: Bench) -> str:
        raise ended

    stages = [stage("a"), stage("b", interrupted), stage("c")]
    with pytest.raises(ended):
        run(stages, bench, empty(), lambda _: None)
    record = Record.of("dev", ID)
    assert {name: found.status for name, found in record.stages.items()} == {"a": "done", "b": "failed"}
    assert [one.name for one in wanted(stages, record, begin=None, only=None)] == ["b", "c"]


# Observations


def test_what_azure_answers_is_written_down(bench: Bench) -> None:
    looks: dict[str, Any] = {
        "one": lambda _: Seen(holds=True, answer="yes "),
        "two": lambda _: Seen(holds=False, answer="something else"),
    }
    record = run([stage("a", **looks)], bench, empty(), lambda _: None)
    assert record.stages["a"].seen == {
        "one": SeenRecord(holds=True, answer="yes"),
        "two": SeenRecord(holds=False, answer="something else"),
    }


@pytest.mark.parametrize("error", [PersonalizationError("Azure refused."), KeyError("workspaceUrl"), TypeError("none")])
def test_a_look_that_fails_is_an_answer_and_no_end(bench: Bench, error: Exception) -> None:
    def look(_: Bench) -> Seen:
        raise error

    found = run([stage("a", one=look)], bench, empty(), lambda _: None).stages["a"]
    assert found.status == "done"
    assert found.seen["one"].holds is None
    assert found.seen["one"].answer == reason(error)


def test_nothing_is_looked_at_after_a_failure(bench: Bench) -> None:
    found = run([stage("a", failing, one=lambda _: Seen(holds=True, answer=""))], bench, empty(), lambda _: None)
    assert found.stages["a"].seen == {}


def test_how_long_a_step_waits_for_a_role_is_noted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "StackSession", lambda *_, **__: None)

    def operate(_session: Any, on_step: Callable[[StepUpdate], None]) -> Outcome:
        for seconds in (5, 190, 20):
            text = f"waiting to write to the lake: the role is not effective yet, {seconds} s so far"
            on_step(StepUpdate(step="DataUpload", phase=Phase.MESSAGE, text=text))
        on_step(StepUpdate(step="ClusterReady", phase=Phase.MESSAGE, text="waiting for the cluster: no, 7 s so far"))
        return NOTHING

    bench.operate(operate)
    assert bench.waits == {"write to the lake": 190.0, "the cluster": 7.0}
    assert waited(bench, "write to the lake", within=600).holds
    assert not waited(bench, "write to the lake", within=60).holds


def test_the_longest_wait_of_all_calls_stays(bench: Bench) -> None:
    bench.waits = {"the cluster": 90.0}
    record = run([stage("a")], bench, empty(), lambda _: None)
    bench.waits = {"the cluster": 30.0, "the lake": 1.0}
    assert run([stage("b")], bench, record, lambda _: None).waits == {"the cluster": 90.0, "the lake": 1.0}


# The record


def test_a_record_of_another_subscription_is_refused() -> None:
    ran("a").save()
    with pytest.raises(RecordUnusableError, match="is about subscription"):
        Record.of("dev", "99999999-9999-4999-8999-999999999999")


@pytest.mark.parametrize("content", ["", "{", '{"stack": "dev"}', "[]"])
def test_a_damaged_record_is_refused_with_its_place(content: str) -> None:
    record_file("dev").parent.mkdir(parents=True)
    record_file("dev").write_text(content)
    with pytest.raises(RecordUnusableError, match="cannot be read"):
        empty()


def test_the_record_outlives_the_stack_s_folder() -> None:
    ran("a").save()
    assert record_file("dev").parent == record_file("other").parent
    assert record_file("dev").name == "dev-verification.json"


def test_a_stack_that_is_used_is_not_taken_down() -> None:
    changing = [stage("destroy")]
    with pytest.raises(StackIsUpError, match="up already"):
        refuse_a_stack_in_use(changing, ran("subscription", "data"), up=True)
    refuse_a_stack_in_use(changing, ran("subscription", "up"), up=True)
    refuse_a_stack_in_use(changing, empty(), up=False)
    with pytest.raises(StackIsUpError):  # the verification's own stack is destroyed, so this is another one
        refuse_a_stack_in_use(changing, ran("subscription", "up", "destroy"), up=True)
    refuse_a_stack_in_use([SUBSCRIPTION, CANARY], empty(), up=True)
