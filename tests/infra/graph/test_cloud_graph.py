"""Deployers of each kind in the graph on Azure, under mocks."""

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from infra.settings import Settings
from tests.infra.graph.cloud_recorder import DEPLOYERS, run_cloud
from tests.support.azure_stack import REQUIRED

DEPLOYER = {"object_id": DEPLOYERS[0], "type": "User", "databricks_name": "somebody@example.com"}


def test_each_kind_of_deployer_is_named_in_databricks_by_its_own_field() -> None:
    """databricks/terraform-provider-databricks, docs/resources/permissions.md."""
    workflow, trainer = "88888888-8888-4888-8888-888888888888", "99999999-9999-4999-8999-999999999999"
    deployers = [
        DEPLOYER,
        {"object_id": DEPLOYERS[1], "type": "ServicePrincipal", "databricks_name": workflow},
        {"object_id": trainer, "type": "Group", "databricks_name": "deployers"},
    ]
    azure = {**REQUIRED, "deployers": deployers, "training_run_as": trainer}
    settings = Settings.model_validate({"target": "azure", "azure": azure})
    found, _ = run_cloud(lambda: deploy(settings, "test"))
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
