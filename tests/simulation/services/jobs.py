"""Databricks workspace objects: cluster policies and jobs."""

from collections.abc import Mapping
from typing import Any

from tests.simulation.databricks.cloud import DatabricksCall, DatabricksType
from tests.simulation.refusal import RefusedError
from tests.simulation.services.principals import principals
from tests.simulation.services.privileges import PERMISSIONS, refuse_job_stranger
from tests.simulation.services.unity import MEMBER

JOB = "databricks:index/job:Job"
POLICY = "databricks:index/clusterPolicy:ClusterPolicy"
LEVELS = {
    "jobId": frozenset({"CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"}),
    "clusterPolicyId": frozenset({"CAN_USE"}),
}
"""The levels of permissions by the field that names the object."""
COLLECTIONS = {"jobId": "jobs", "clusterPolicyId": "policies"}


def _refuse_used_policy(call: DatabricksCall) -> None:
    for job in call.world.all(JOB):
        clusters = [entry["newCluster"] for entry in job.inputs.get("jobClusters") or []]
        if any(cluster.get("policyId") == call.name for cluster in clusters):
            raise RefusedError(400, "INVALID_STATE", f"The policy is in use by the job '{job.inputs.get('name')}'.")


def _refuse_permissions(call: DatabricksCall) -> None:
    """Source: `permission_definitions.go` and `validate` of databricks/terraform-provider-databricks."""
    of = [name for name in LEVELS if call.inputs.get(name)]
    if len(of) != 1:
        raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Permissions are of exactly one object, not of {of}.")
    if call.named(COLLECTIONS[of[0]], str(call.inputs[of[0]])) is None:
        raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"{of[0]} '{call.inputs[of[0]]}' does not exist.")
    members = {str(item.inputs["applicationId"]).lower() for item in call.world.all(MEMBER)}
    known = {"userName": _called(call, "User"), "groupName": _called(call, "Group"), "servicePrincipalName": members}
    for entry in call.inputs["accessControls"]:
        if entry["permissionLevel"] not in LEVELS[of[0]]:
            message = f"permission_level {entry['permissionLevel']} is not supported with {of[0]} objects."
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", message)
        ((field, name),) = [item for item in entry.items() if item[0] != "permissionLevel"]
        if str(name).lower() not in known[field]:
            raise RefusedError(404, "PRINCIPAL_DOES_NOT_EXIST", f"Principal: {field} {name} does not exist.")


def _called(call: DatabricksCall, kind: str) -> set[str]:
    return {name.lower() for name, found in principals(call.world).items() if found.type == kind}


def _permissions(inputs: Mapping[str, Any]) -> str | None:
    """An ID as the provider builds it: `/jobs/NUMBER`."""
    return next((f"{COLLECTIONS[name]}-{inputs[name]}" for name in LEVELS if inputs.get(name)), None)


TYPES = [
    DatabricksType(
        pulumi_type=PERMISSIONS,
        arguments="pulumi_databricks.permissions:PermissionsArgs",
        collection="permissions",
        identity=_permissions,
        replaces=frozenset({"jobId", "clusterPolicyId"}),
        rules=(_refuse_permissions,),
    ),
    DatabricksType(
        pulumi_type=POLICY,
        arguments="pulumi_databricks.cluster_policy:ClusterPolicyArgs",
        collection="policies",
        identity=lambda _: None,
        delete_rules=(_refuse_used_policy,),
        outputs=lambda call: {"policyId": call.name},
    ),
    DatabricksType(
        pulumi_type=JOB,
        arguments="pulumi_databricks.job:JobArgs",
        collection="jobs",
        identity=lambda _: None,
        rules=(refuse_job_stranger,),
        delete_rules=(refuse_job_stranger,),
        outputs=lambda call: {"url": f"https://{call.workspace.outputs['workspaceUrl']}/#job/{call.name}"},
    ),
]
