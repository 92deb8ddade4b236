"""A verification on a real subscription: it goes on where it stopped, and writes down what Azure answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from azure_clients import credentials
from features.errors import BadInputError, PersonalizationError
from personalize.commands.app import app
from personalize.engine.events import Phase, StepUpdate
from personalize.engine.outcome import Outcome
from personalize.stack.session import StackSession
from personalize.terminal.output import ExitCode
from personalize.verify import bench as bench_module
from personalize.verify import stages as stages_module
from personalize.verify.assumptions import assumptions
from personalize.verify.bench import Bench
from personalize.verify.record import Record, RecordUnusableError, SeenRecord, StageRecord, record_file
from personalize.verify.runner import NoSuchStageError, StackIsUpError, refuse_a_stack_in_use, run, wanted
from personalize.verify.stage import Seen, Stage, StageFailedError
from personalize.verify.stages import STAGES
from personalize.verify.stages.subscription import SUBSCRIPTION
from personalize.views import health
from tests.preflight.conftest import SUBSCRIPTION as ID
from tests.preflight.conftest import World
from tests.preflight.test_power import SETTINGS
from tools.paths import ROOT

Verify = Callable[..., Result]
NOTHING = Outcome(changes={}, steps={}, outputs={}, secret=frozenset(), seconds=0.0)


def stage(name: str, act: Callable[[Bench], str] = lambda _: "done.", **looks: Callable[[Bench], Seen]) -> Stage:
    return Stage(name=name, title=f"stage {name}", minutes="1", act=act, looks=looks, changes=True)


def failing(_: Bench) -> str:
    raise StageFailedError("Azure said no.")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))


@pytest.fixture
def bench() -> Bench:
    """One that no stage of these tests asks for anything."""
    return Bench(stack="dev", settings_file=None, shown=lambda operate: operate(lambda _: None), say=lambda _: None)


def empty() -> Record:
    return Record.of("dev", ID)


def ran(*names: str, status: Any = "done") -> Record:
    found = StageRecord(status=status, began="2026-11-25T09:00:00+00:00", seconds=1.0, said="done.")
    return empty().model_copy(update={"stages": dict.fromkeys(names, found)})


# The data


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


# The order


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


def test_a_killed_verification_has_what_was_done_before(bench: Bench) -> None:
    def killed(_: Bench) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([stage("a"), stage("b", killed)], bench, empty(), lambda _: None)
    assert list(Record.of("dev", ID).stages) == ["a"]


# What is seen


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
    assert type(error).__name__ in found.seen["one"].answer


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
    assert bench.waited("write to the lake", within=600).holds
    assert not bench.waited("write to the lake", within=60).holds


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
    with pytest.raises(StackIsUpError):  # the verification's own is gone: this is another
        refuse_a_stack_in_use(changing, ran("subscription", "up", "destroy"), up=True)
    refuse_a_stack_in_use([SUBSCRIPTION], empty(), up=True)


# The first stage, on a subscription of these tests


@pytest.fixture
def subscription(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The bench asks this one."""
    monkeypatch.setattr(bench_module, "require_azure", lambda *_: SETTINGS)
    monkeypatch.setattr(bench_module, "subject_of", lambda *_: world.subject())
    monkeypatch.setattr(credentials, "resource_manager", lambda _: world.fake.manager())
    monkeypatch.setattr(health, "azure_of", lambda *_: SETTINGS)
    monkeypatch.setattr(health, "subject_of", lambda *_: world.subject())
    return world


@pytest.mark.usefixtures("subscription")
def test_the_first_stage_sees_what_the_preflight_relies_on(bench: Bench) -> None:
    found = run([SUBSCRIPTION], bench, empty(), lambda _: None).stages["subscription"]
    assert found.status == "done", found.said
    assert {name: one.holds for name, one in found.seen.items()} == dict.fromkeys(SUBSCRIPTION.looks, True)
    assert "family standardDDSv5Family, zones ['1', '2', '3'], vCPUs 2" in found.seen["size-catalogue"].answer


def test_a_subscription_that_answers_otherwise_is_noticed(subscription: World, bench: Bench) -> None:
    subscription.usages = {"Total Regional vCPUs": (0, 100)}
    subscription.owners = {credentials.STORAGE: "somebody else"}
    seen = {name: look(bench) for name, look in SUBSCRIPTION.looks.items()}
    assert not seen["usage-names"].holds
    assert seen["one-identity"] == Seen(holds=False, answer="4 tokens name 2 object id(s)")


def test_a_subscription_that_is_not_ready_fails_with_each_fix(subscription: World, bench: Bench) -> None:
    subscription.give_roles()
    found = run([SUBSCRIPTION], bench, empty(), lambda _: None).stages["subscription"]
    assert found.status == "failed"
    assert "az role assignment create" in found.said


# The command


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Runs `personalize verify` with two stages of this test."""
    monkeypatch.setattr(StackSession, "exists", lambda _: False)

    def call(*arguments: str, stages: list[Stage]) -> Result:
        monkeypatch.setattr(stages_module, "STAGES", tuple(stages))
        own = {"personalization:target": "azure", "personalization:azure": SETTINGS.model_dump(mode="json")}
        file = tmp_path / "stack.yaml"
        file.write_text(yaml.safe_dump({"config": own}))
        return CliRunner().invoke(app, ["verify", "--stack", "dev", "--config-file", str(file), *arguments])

    return call


def test_the_command_goes_on_where_it_failed(verify: Verify) -> None:
    acts: list[str] = []

    def note(name: str) -> Stage:
        def act(_: Bench) -> str:
            acts.append(name)
            return f"{name} is done."

        return stage(name, act)

    first = verify("--yes", "--json", stages=[note("data"), stage("training", failing)])
    assert first.exit_code == ExitCode.FAILED
    assert json.loads(first.stdout)["stages"]["training"]["said"] == "Azure said no."
    second = verify("--yes", "--json", stages=[note("data"), note("training")])
    assert second.exit_code == ExitCode.OK, second.output
    assert acts == ["data", "training"]


def test_the_command_shows_what_differs_and_where_that_matters(verify: Verify) -> None:
    looks: dict[str, Any] = {"lifecycle-name": lambda _: Seen(holds=False, answer="the policy is called other")}
    shown = verify("--yes", stages=[stage("data", **looks)])
    assert "differs" in shown.stdout
    assert "the policy is called other" in shown.stdout
    assert "infra/cloud/storage.py" in shown.stdout
    assert "only a person can look at" in shown.stdout
    again = verify("--list", stages=[stage("data", **looks), stage("training")])
    assert "training: not run" in again.stdout


def test_the_json_has_every_assumption_in_full(verify: Verify) -> None:
    looks: dict[str, Any] = {"lifecycle-name": lambda _: Seen(holds=True, answer="default")}
    found = json.loads(verify("--yes", "--json", stages=[stage("data", **looks)]).stdout)
    by_id = {entry["id"]: entry for entry in found["assumptions"]}
    assert set(by_id) == set(assumptions())
    assert (by_id["lifecycle-name"]["holds"], by_id["lifecycle-name"]["answer"]) == (True, "default")
    assert by_id["bill"]["holds"] is None


def test_the_command_spends_nothing_where_nobody_can_answer(verify: Verify) -> None:
    left = verify(stages=[stage("data")])
    assert isinstance(left.exception, BadInputError)
    assert not record_file("dev").exists()
