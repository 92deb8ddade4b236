"""Databricks workspace objects: cluster policies and jobs."""

from collections.abc import Mapping
from typing import Any

from tests.simulation.databricks.cloud import DatabricksType
from tests.simulation.services.privileges import PERMISSIONS, refuse_job_stranger

JOB = "databricks:index/job:Job"
POLICY = "databricks:index/clusterPolicy:ClusterPolicy"
COLLECTIONS = {"jobId": "jobs", "clusterPolicyId": "policies"}


def _permissions(inputs: Mapping[str, Any]) -> str | None:
    """An ID as the provider builds it: `/jobs/NUMBER`."""
    return next((f"{COLLECTIONS[name]}-{inputs[name]}" for name in COLLECTIONS if inputs.get(name)), None)


TYPES = [
    DatabricksType(
        pulumi_type=PERMISSIONS,
        collection="permissions",
        identity=_permissions,
        replaces=frozenset({"jobId", "clusterPolicyId"}),
    ),
    DatabricksType(
        pulumi_type=POLICY,
        collection="policies",
        identity=lambda _: None,
        outputs=lambda call: {"policyId": call.name},
    ),
    DatabricksType(
        pulumi_type=JOB,
        collection="jobs",
        identity=lambda _: None,
        rules=(refuse_job_stranger,),
        delete_rules=(refuse_job_stranger,),
        outputs=lambda call: {"url": f"https://{call.workspace.outputs['workspaceUrl']}/#job/{call.name}"},
    ),
]
