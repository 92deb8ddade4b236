"""What the graph declares in Databricks under mocks: the policy of its clusters, and who may do what."""

import json

import pytest

pytest.importorskip("pulumi_databricks", reason="needs `uv sync --inexact --extra azure`")

from tests.infra.graph.cloud_recorder import DEPLOYERS
from tests.infra.graph.test_cloud_graph import declared, settings


def test_the_next_fall_back_of_the_training_cluster_is_admitted_by_the_policy_that_is_there() -> None:
    fallbacks = ["Standard_E4ads_v5", "Standard_E4ds_v4"]
    policies = []
    for chosen in ("Standard_E4ds_v5", "Standard_E4ads_v5"):
        found = declared(settings(training_vm_size=chosen, training_vm_fallbacks=[*fallbacks, "Standard_E4ds_v5"]))[0]
        (policy,) = found.of("databricks:index/clusterPolicy:ClusterPolicy")
        machines = {job["jobClusters"][0]["newCluster"]["nodeTypeId"] for job in found.of("databricks:index/job:Job")}
        assert machines == {chosen}
        policies.append(json.loads(policy["definition"]))
    assert policies[0] == policies[1]
    assert policies[0]["node_type_id"] == {"type": "allowlist", "values": sorted([*fallbacks, "Standard_E4ds_v5"])}


def test_a_service_principal_is_a_member_of_databricks_before_grants_and_the_job_name_it() -> None:
    workflow, trainer = "88888888-8888-4888-8888-888888888888", "99999999-9999-4999-8999-999999999999"
    deployer = {"object_id": DEPLOYERS[0], "type": "ServicePrincipal", "databricks_name": workflow}
    found = declared(settings(deployers=[deployer], training_run_as=trainer))[0]
    members = found.of("databricks:index/servicePrincipal:ServicePrincipal")
    assert {member["applicationId"] for member in members} == {workflow, trainer}
    assert {grant["principal"] for grant in found.of("databricks:index/grant:Grant")} == {workflow, trainer}
    jobs = found.of("databricks:index/job:Job")
    assert [job["runAs"] for job in jobs] == [{"servicePrincipalName": trainer}] * 2


def test_every_deployer_manages_what_the_first_one_makes_in_databricks() -> None:
    """With the names of each kind: databricks/terraform-provider-databricks, docs/resources/permissions.md."""
    workflow, trainer = "88888888-8888-4888-8888-888888888888", "99999999-9999-4999-8999-999999999999"
    deployers = [
        {"object_id": DEPLOYERS[0], "type": "User", "databricks_name": "somebody@example.com"},
        {"object_id": DEPLOYERS[1], "type": "ServicePrincipal", "databricks_name": workflow},
        {"object_id": trainer, "type": "Group", "databricks_name": "deployers"},
        {"object_id": workflow, "type": "Group"},
    ]
    found = declared(settings(deployers=deployers, training_run_as=trainer))[0]
    grants = found.of("databricks:index/grant:Grant")
    names = {"somebody@example.com", workflow, "deployers"}
    objects = {"storageCredential": 1, "externalLocation": 4, "catalog": 1}
    for securable, count in objects.items():
        managed = [one for one in grants if one.get(securable) and "MANAGE" in one["privileges"]]
        assert {one["principal"] for one in managed} == names
        assert len(managed) == len(names) * count
    (of_trainer,) = [one for one in grants if one["principal"] == trainer and "catalog" in one]
    assert sorted(of_trainer["privileges"]) == ["READ_VOLUME", "USE_CATALOG", "USE_SCHEMA"]
    permissions = found.of("databricks:index/permissions:Permissions")
    assert [{"jobId", "clusterPolicyId"} & set(one) for one in permissions] == [{"clusterPolicyId"}, *[{"jobId"}] * 2]
    for one in permissions:
        level = "CAN_MANAGE" if "jobId" in one else "CAN_USE"
        assert one["accessControls"] == [
            {"permissionLevel": level, "userName": "somebody@example.com"},
            {"permissionLevel": level, "servicePrincipalName": workflow},
            {"permissionLevel": level, "groupName": "deployers"},
        ]
