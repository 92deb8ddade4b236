"""The Databricks job that trains: the project's wheel on a cluster of fixed size, with libraries from the lake.

The step `TrainingRun` starts the runs.
"""

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, ResourceOptions

from infra.azure_settings import AzureSettings
from infra.cloud.names import PROJECT, Names, tags_of
from infra.setting_types import PrincipalType
from steps.job_libraries import JobLibraries
from tools.versions import DATABRICKS_RUNTIME, SCALA
from training.platform import SWITCH

ENTRY_POINT = "train"
"""The wheel's, in `pyproject.toml`."""
REQUEST = "request"
"""The job's only parameter: what to train, as JSON (`training.databricks`)."""
CLUSTER = "training"
RUNTIME = f"{DATABRICKS_RUNTIME}.x-scala{SCALA}"
DEDICATED = "SINGLE_USER"
"""SynapseML calls into the JVM, which no other access mode allows."""
ON_DEMAND = "ON_DEMAND_AZURE"
"""LightGBM fails when a node is lost, so there are no spot nodes."""
FIELD = {
    PrincipalType.USER: "user_name",
    PrincipalType.GROUP: "group_name",
    PrincipalType.SERVICE_PRINCIPAL: "service_principal_name",
}
"""Where the permissions of a job name a principal; a service principal by its application ID."""
BINARY_FILES = {SWITCH: "true"}
SINGLE_NODE = {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*, 4]"}


@dataclass(frozen=True, kw_only=True)
class TrainingJobArgs:
    """The cluster's size, and the code to run on it."""

    settings: AzureSettings
    names: Names
    libraries: JobLibraries


class TrainingJob(pulumi.ComponentResource):
    """Cluster policy and job in the workspace of the given Databricks provider."""

    def __init__(
        self,
        name: str,
        args: TrainingJobArgs,
        workspace: pulumi.Resource,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Create them; they are deleted with the workspace."""
        super().__init__("personalization:azure:TrainingJob", name, None, opts)
        self._args = args
        self._options = ResourceOptions(parent=self, deleted_with=workspace)
        self._tags = tags_of(args.settings, args.names.stack)
        policy = databricks.ClusterPolicy(
            "training-policy",
            name=args.names.databricks,
            definition=json.dumps(_policy(args.settings), sort_keys=True),
            opts=self._options,
        )
        self._let_manage("training-policy", "CAN_USE", cluster_policy_id=policy.id)
        self.job = self._job(policy)
        self.job_id = self.job.id
        self.register_outputs({"job_id": self.job_id, "url": self.job.url})

    def _job(self, policy: databricks.ClusterPolicy) -> databricks.Job:
        settings, libraries = self._args.settings, self._args.libraries
        timeout_seconds = settings.training_timeout_minutes * 60
        task = databricks.JobTaskArgs(
            task_key=ENTRY_POINT,
            job_cluster_key=CLUSTER,
            python_wheel_task=databricks.JobTaskPythonWheelTaskArgs(
                package_name=PROJECT,
                entry_point=ENTRY_POINT,
                parameters=[f"{{{{job.parameters.{REQUEST}}}}}"],
            ),
            libraries=[
                databricks.JobTaskLibraryArgs(requirements=libraries.requirements_path),
                *(databricks.JobTaskLibraryArgs(jar=jar) for jar in libraries.jar_paths),
            ],
            timeout_seconds=timeout_seconds,
            max_retries=0,
        )
        cluster = self._cluster(policy)
        job = databricks.Job(
            "training-job",
            name=self._args.names.databricks,
            max_concurrent_runs=1,
            job_clusters=[databricks.JobJobClusterArgs(job_cluster_key=CLUSTER, new_cluster=cluster)],
            tasks=[task],
            parameters=[databricks.JobParameterArgs(name=REQUEST, default="{}")],
            run_as=_run_as(settings),
            email_notifications=databricks.JobEmailNotificationsArgs(on_failures=[settings.alert_mail]),
            timeout_seconds=timeout_seconds,
            tags=self._tags,
            opts=self._options,
        )
        self._let_manage("training-job", "CAN_MANAGE", job_id=job.id)
        return job

    def _let_manage(
        self,
        resource: str,
        level: str,
        *,
        job_id: Input[str] | None = None,
        cluster_policy_id: Input[str] | None = None,
    ) -> None:
        """Give every deployer this level: the object belongs to whoever created it.

        A cluster policy has only CAN_USE; it is changed by workspace admins, which Contributors on the workspace are
        (databricks/terraform-provider-databricks, permission_definitions.go; Databricks, "Create and manage compute
        policies").
        """
        named = [one for one in self._args.settings.deployers if one.databricks_name is not None]
        if named:
            given = [
                databricks.PermissionsAccessControlArgs(
                    permission_level=level, **{FIELD[one.type]: one.databricks_name}
                )
                for one in named
            ]
            databricks.Permissions(
                f"{resource}-permissions",
                access_controls=given,
                job_id=job_id,
                cluster_policy_id=cluster_policy_id,
                opts=self._options,
            )

    def _cluster(self, policy: databricks.ClusterPolicy) -> databricks.JobJobClusterNewClusterArgs:
        settings = self._args.settings
        alone = settings.training_workers == 0
        return databricks.JobJobClusterNewClusterArgs(
            spark_version=RUNTIME,
            node_type_id=settings.training_vm_size,
            num_workers=settings.training_workers,
            policy_id=policy.id,
            data_security_mode=DEDICATED,
            runtime_engine="STANDARD",
            azure_attributes=databricks.JobJobClusterNewClusterAzureAttributesArgs(
                availability=ON_DEMAND, first_on_demand=1
            ),
            spark_conf={**(SINGLE_NODE if alone else {}), **(BINARY_FILES if settings.training_binary_files else {})},
            custom_tags={**self._tags, **({"ResourceClass": "SingleNode"} if alone else {})},
        )


def _run_as(settings: AzureSettings) -> databricks.JobRunAsArgs | None:
    """By default the job runs as the deployer that first ran `up`."""
    if settings.training_run_as is None:
        return None
    return databricks.JobRunAsArgs(service_principal_name=settings.training_run_as)


def _policy(settings: AzureSettings) -> dict[str, Any]:
    """The allowed clusters: exactly the job's, no autoscaling."""
    fixed = {
        "num_workers": settings.training_workers,
        "node_type_id": settings.training_vm_size,
        "spark_version": RUNTIME,
        "data_security_mode": DEDICATED,
        "azure_attributes.availability": ON_DEMAND,
    }
    never = ("autoscale.min_workers", "autoscale.max_workers")
    return {
        **{path: {"type": "fixed", "value": value} for path, value in fixed.items()},
        **{path: {"type": "forbidden"} for path in never},
    }
