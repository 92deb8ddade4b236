"""`personalize verify`, and its first stage on a simulated subscription."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from azure_clients import credentials
from features.errors import BadInputError
from personalize.commands.app import app
from personalize.stack.session import StackSession
from personalize.terminal.output import ExitCode
from personalize.verify import bench as bench_module
from personalize.verify import stages as stages_module
from personalize.verify.bench import Bench
from personalize.verify.record import assumptions, record_file
from personalize.verify.runner import run
from personalize.verify.stage import Seen, Stage
from personalize.verify.stages.subscription import SUBSCRIPTION
from personalize.views import health
from tests.personalize.subscription.conftest import World
from tests.personalize.subscription.test_power import SETTINGS
from tests.personalize.subscription.verification import empty, failing, stage

Verify = Callable[..., Result]


pytestmark = pytest.mark.usefixtures("own_folder")


# The first stage, on a simulated subscription


@pytest.fixture
def subscription(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The subscription that the bench uses."""
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
    assert "family standardDDSv5Family, zones ['1', '2', '3'], vCPUs 4" in found.seen["size-catalogue"].answer


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
    assert "bootstrap --stack dev`, which creates the groups and gives `azure.deployers` these rights" in found.said


# The command


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Run `personalize verify` with a test's own stages."""
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
    assert "only a person can check" in shown.stdout
    again = verify("--list", stages=[stage("data", **looks), stage("training")])
    assert "training: not run" in again.stdout


def test_the_json_has_every_assumption_in_full(verify: Verify) -> None:
    looks: dict[str, Any] = {"lifecycle-name": lambda _: Seen(holds=True, answer="default")}
    found = json.loads(verify("--yes", "--json", stages=[stage("data", **looks)]).stdout)
    by_id = {entry["id"]: entry for entry in found["assumptions"]}
    assert set(by_id) == set(assumptions())
    assert (by_id["lifecycle-name"]["holds"], by_id["lifecycle-name"]["answer"]) == (True, "default")
    assert by_id["bill"]["holds"] is None


def test_a_stack_in_use_may_have_a_canary_run_whose_price_is_told_first(
    verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StackSession, "exists", lambda _: True)
    canary = Stage(name="canary", title="a small run", minutes="10", act=lambda _: "it ran.", trains=True)
    refused = verify("--only", "canary", stages=[canary])
    assert isinstance(refused.exception, BadInputError)
    ran = verify("--only", "canary", "--yes", "--json", stages=[canary])
    assert ran.exit_code == ExitCode.OK, ran.output
    assert json.loads(ran.stdout)["stages"]["canary"]["said"] == "it ran."
    # at most a third of an hour on four cores: 0.72 / 6 for the machine and 0.75 / 6 for the units
    assert "A run on a thousand rows, at most 0.24 USD at these prices." in ran.stderr
    assert "The stack stays as it is" in ran.stderr


def test_the_command_spends_nothing_where_nobody_can_answer(verify: Verify) -> None:
    left = verify(stages=[stage("data")])
    assert isinstance(left.exception, BadInputError)
    assert not record_file("dev").exists()
