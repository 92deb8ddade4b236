"""The whole graph on Azure under mocks: the local stack's components, and what a setting changes."""

from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from infra.settings import Settings
from tests.infra.graph.cloud_recorder import DEPLOYERS, CloudRecorder, run_cloud
from tests.support.azure_stack import REQUIRED
from training.parameters import TrainingParameters

DEPLOYER = {"object_id": DEPLOYERS[0], "type": "User", "databricks_name": "somebody@example.com"}
AZURE = {**REQUIRED, "deployers": [DEPLOYER]}


def settings(training: TrainingParameters | None = None, **azure: object) -> Settings:
    """Settings of a small stack on Azure."""
    values = {"target": "azure", "azure": AZURE | azure}
    return Settings.model_validate(values | ({"training": training} if training else {}))


def declared(wanted: Settings) -> tuple[CloudRecorder, dict[str, Any]]:
    """Declare the graph; return the recorder and the outputs."""
    return run_cloud(lambda: deploy(wanted, "test"))


@pytest.fixture(scope="module")
def small() -> tuple[CloudRecorder, dict[str, Any]]:
    """The graph with default settings."""
    return declared(settings())


TOUCHED: list[tuple[dict[str, Any], set[str]]] = [
    ({"scoring_vm_size": "Standard_D4ds_v5"}, {"scoring-pool"}),
    ({"scoring_nodes_max": 5}, {"scoring-pool"}),
    ({"replicas_max": 8}, {"autoscaler"}),
    ({"training_vm_size": "Standard_E8ds_v5"}, {"training-policy", "training-job"}),
    ({"log_cap_gb": 2.0}, {"logs"}),
    ({"kubernetes_tier": "Standard"}, {"cluster"}),
]
TOGETHER = (
    {name: value for changes, _ in TOUCHED for name, value in changes.items()},
    {name for _, touched in TOUCHED for name in touched},
)


@pytest.mark.parametrize(
    ("changes", "touched"), [TOGETHER, *(pytest.param(*one, marks=pytest.mark.full) for one in TOUCHED)]
)
def test_a_setting_touches_exactly_its_resources(
    small: tuple[CloudRecorder, dict[str, Any]], changes: dict[str, Any], touched: set[str]
) -> None:
    before = {(item.typ, item.name): item.inputs for item in small[0].resources}
    after = {(item.typ, item.name): item.inputs for item in declared(settings(**changes))[0].resources}
    assert before.keys() == after.keys()
    assert {key[1] for key, inputs in after.items() if before[key] != inputs} == touched


def test_a_hyperparameter_touches_the_training_run_alone(small: tuple[CloudRecorder, dict[str, Any]]) -> None:
    before = {(item.typ, item.name): item.inputs for item in small[0].resources}
    after = declared(settings(TrainingParameters(num_leaves=7)))[0].resources
    assert {item.name for item in after if before[(item.typ, item.name)] != item.inputs} == {"training"}


def test_each_kind_of_deployer_is_named_in_databricks_by_its_own_field() -> None:
    """databricks/terraform-provider-databricks, docs/resources/permissions.md."""
    workflow, trainer = "88888888-8888-4888-8888-888888888888", "99999999-9999-4999-8999-999999999999"
    deployers = [
        DEPLOYER,
        {"object_id": DEPLOYERS[1], "type": "ServicePrincipal", "databricks_name": workflow},
        {"object_id": trainer, "type": "Group", "databricks_name": "deployers"},
    ]
    found = declared(settings(deployers=deployers, training_run_as=trainer))[0]
    members = found.of("databricks:index/servicePrincipal:ServicePrincipal")
    assert {member["applicationId"] for member in members} == {workflow, trainer}
    assert {job["runAs"]["servicePrincipalName"] for job in found.of("databricks:index/job:Job")} == {trainer}
    for one in found.of("databricks:index/permissions:Permissions"):
        level = "CAN_MANAGE" if "jobId" in one else "CAN_USE"
        assert one["accessControls"] == [
            {"permissionLevel": level, "userName": "somebody@example.com"},
            {"permissionLevel": level, "servicePrincipalName": workflow},
            {"permissionLevel": level, "groupName": "deployers"},
        ]
