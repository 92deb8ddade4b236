"""The nightly run: it trains on new data, does nothing without, and leaves other changes to their deployment."""

import pytest

from personalize.delivery.plan import Plan
from personalize.delivery.retraining import Need, decide
from tests.personalize.delivery.conftest import NEW_DATA, preview, resource

TRAINING = "personalize:azure:TrainingRun"


def test_nothing_new_is_nothing_to_do() -> None:
    assert decide(Plan.read(preview())).need is Need.NOTHING


def test_new_data_trains() -> None:
    assert decide(Plan.read(preview(*NEW_DATA))).need is Need.NEW_DATA


def test_new_data_trains_on_a_local_stack_too() -> None:
    local = [one | {"type": one["type"].replace(":azure:", ":local:")} for one in NEW_DATA]
    local[4] = resource("service", "personalize:local:ScoringService", "update", "digest")
    assert decide(Plan.read(preview(*local))).need is Need.NEW_DATA


@pytest.mark.parametrize(
    "change",
    [
        resource("training", TRAINING, "replace", "code_hash"),
        resource("training", TRAINING, "replace", "manifest_hash", "parameters.num_leaves"),
        resource("data", "personalize:azure:DataUpload", "replace", "manifest_hash", "dataset.rows"),
        resource("cluster", "azure-native:containerservice:ManagedCluster", "update", "kubernetesVersion"),
        resource("key", "personalize:azure:ApiKey", "update", "rotation"),
        resource("autoscaler", "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "update", "spec.maxReplicas"),
    ],
    ids=["code", "parameters", "settings of the data", "infrastructure", "keys", "scaling"],
)
def test_other_changes_wait_for_their_deployment(change: dict[str, object]) -> None:
    decision = decide(Plan.read(preview(*NEW_DATA, change)))
    assert decision.need is Need.OTHER_CHANGES
    assert str(change["name"]) in decision.reason


def test_a_service_that_lags_behind_is_no_new_data() -> None:
    decision = decide(Plan.read(preview(*NEW_DATA[3:])))
    assert decision.need is Need.OTHER_CHANGES
    assert "did not finish" in decision.reason
