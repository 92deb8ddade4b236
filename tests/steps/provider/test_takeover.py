"""A stack that an earlier version of the project deployed can be updated: the real engine compares its state with ours.

`recorded_state.json` is the state after `up` of commit c764f51 on 3,000 synthetic rows, with other keys and fewer
metrics.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import automation

from infra.graph import deploy
from infra.settings import Settings
from steps.descriptions.serving_settings import ScoringSettings
from tests.steps.provider.engine import EngineStack
from training.parameters import SyntheticDataset, TrainingParameters

pytestmark = pytest.mark.engine
RECORDED = Path(__file__).with_name("recorded_state.json")
PORT = 18815
SAME, RENEWED = {"same"}, {"create-replacement", "replace", "delete-replaced"}


class RecordedStack(EngineStack):
    """The recorded stack with today's program."""

    name = "local"

    def declare(self) -> None:
        """Declare the whole graph with the settings of the recording."""
        settings = Settings(
            dataset=SyntheticDataset(rows=3000),
            training=TrainingParameters(num_iterations=5, driver_memory_gib=2),
            scoring=ScoringSettings(port=PORT, workers=1),
        )
        for name, value in deploy(settings, self.name).items():
            pulumi.export(name, value)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Import the recorded state, with its secrets under a passphrase of this test."""
        stack = self.select()
        salt = stack.workspace.stack_settings(self.name).encryption_salt
        providers = {"type": "passphrase", "state": {"salt": salt}}
        deployment = {**state["deployment"], "secrets_providers": providers}
        stack.import_stack(automation.Deployment(version=state["version"], deployment=deployment))

    def compare(self) -> dict[str, set[str]]:
        """The operations of a preview for each resource, by URN."""
        done: dict[str, set[str]] = {}

        def note(event: automation.events.EngineEvent) -> None:
            if event.resource_pre_event is not None:
                found = event.resource_pre_event.metadata
                done.setdefault(found.urn, set()).add(str(found.op.value))

        self.select().preview(on_event=note)
        return done


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    """The recorded state."""
    state: dict[str, Any] = json.loads(RECORDED.read_text())
    return state


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory, recorded: dict[str, Any]) -> dict[str, set[str]]:
    stack = RecordedStack(tmp_path_factory.mktemp("takeover"), PORT)
    stack.restore(recorded)
    return stack.compare()


def of(planned: dict[str, set[str]], ending: str) -> set[str]:
    """The planned operations for the only resource whose URN has this ending."""
    (found,) = [urn for urn in planned if urn.endswith(ending)]
    return planned[found]


def test_no_resource_has_another_urn(planned: dict[str, set[str]], recorded: dict[str, Any]) -> None:
    """The step that marks the champion has come since."""
    before = {resource["urn"] for resource in recorded["deployment"]["resources"]}
    assert before <= set(planned)
    (added,) = set(planned) - before
    assert added.endswith("$personalize:local:Champion::service-champion")
    assert planned[added] == {"create"}


@pytest.mark.parametrize("kind", ["Registry::registry", "DataUpload::data", "ApiKey::service-key"])
def test_what_holds_data_stays_as_it_is(planned: dict[str, set[str]], kind: str) -> None:
    assert of(planned, f"$personalize:local:{kind}") == SAME


@pytest.mark.parametrize("kind", ["TrainingRun::training", "ModelVersion::model", "ServingImage::image"])
def test_what_comes_from_code_is_renewed(planned: dict[str, set[str]], kind: str) -> None:
    assert of(planned, f"$personalize:local:{kind}") == RENEWED


def test_the_service_is_changed_in_place(planned: dict[str, set[str]]) -> None:
    assert of(planned, "$personalize:local:ScoringService::service") == {"update"}


def test_no_component_is_made_anew(planned: dict[str, set[str]]) -> None:
    assert {urn: done for urn, done in planned.items() if "$" not in urn and done != SAME} == {}
