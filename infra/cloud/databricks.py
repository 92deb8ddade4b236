"""Databricks: the workspace with the identity by which it accesses the lake, its members, and the job that trains.

The job runs the project's wheel on a cluster of fixed size, with libraries from the lake; the step `TrainingRun` starts
the runs. Databricks finds users and groups in Entra ID, but refuses a grant to a service principal that is in no
workspace ("Could not find principal"; Microsoft's page "Service principals", on adding one to a workspace).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_databricks
from pulumi import Input, ResourceOptions
from pulumi_azure_native import databricks

from infra.azure_settings import Deployer, PrincipalType
from infra.cloud.names import PROJECT, Names
from infra.cloud.site import Site
from infra.step_resource import Group
from steps.job_libraries import JobLibraries
from tools.versions import DATABRICKS_RUNTIME, SCALA

ACCESS = databricks.PublicNetworkAccess
RULES = databricks.RequiredNsgRules
NO_PUBLIC_ADDRESSES = databricks.WorkspaceNoPublicIPBooleanParameterArgs(value=True)


@dataclass(frozen=True, kw_only=True)
class DatabricksNetwork:
    """The clusters' network, and the names of its two subnets that are delegated to Databricks."""

    id: Input[str]
    hosts: str
    containers: str


class Databricks(pulumi.ComponentResource):
    """The workspace and its access connector. Databricks creates the managed resource group, which must not exist."""

    def __init__(
        self,
        site: Site,
        names: Names,
        opts: ResourceOptions,
        *,
        subscription: str,
        network: DatabricksNetwork | None,
    ) -> None:
        """Create both; without a `network`, Databricks creates its own."""
        super().__init__("personalization:azure:Databricks", "databricks", None, opts)
        self.workspace = databricks.Workspace(
            "databricks-workspace",
            workspace_name=names.databricks,
            resource_group_name=site.group,
            location=site.location,
            sku=databricks.SkuArgs(name="premium"),
            compute_mode=databricks.ComputeMode.HYBRID,  # can't be changed later, so it is set explicitly
            managed_resource_group_id=f"/subscriptions/{subscription}/resourceGroups/{names.databricks_group}",
            parameters=_parameters(network),
            public_network_access=ACCESS.DISABLED if site.private else ACCESS.ENABLED,
            # Clusters that use a private endpoint need no rules for Databricks' public addresses.
            required_nsg_rules=RULES.NO_AZURE_DATABRICKS_RULES if site.private else RULES.ALL_RULES,
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.connector = databricks.AccessConnector(
            "lake-access",
            connector_name=names.connector,
            resource_group_name=site.group,
            location=site.location,
            identity=databricks.ManagedServiceIdentityArgs(type=databricks.ManagedServiceIdentityType.SYSTEM_ASSIGNED),
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.connector_principal = self.connector.identity.apply(_principal)
        self.register_outputs({})


def _parameters(network: DatabricksNetwork | None) -> databricks.WorkspaceCustomParametersArgs:
    if network is None:
        return databricks.WorkspaceCustomParametersArgs(enable_no_public_ip=NO_PUBLIC_ADDRESSES)
    text = databricks.WorkspaceCustomStringParameterArgs
    return databricks.WorkspaceCustomParametersArgs(
        enable_no_public_ip=NO_PUBLIC_ADDRESSES,
        custom_virtual_network_id=text(value=network.id),
        custom_public_subnet_name=text(value=network.hosts),
        custom_private_subnet_name=text(value=network.containers),
    )


def _principal(identity: databricks.outputs.ManagedServiceIdentityResponse | None) -> str:
    if identity is None:
        raise ValueError("Azure returned no identity for the access connector")
    return identity.principal_id


@dataclass(frozen=True, kw_only=True)
class Members:
    """Principals by their names in Databricks, once `group` exists: the service principals among them are members."""

    group: pulumi.Resource
    deployers: Mapping[str, str]
    """Those who manage the stack's objects, by object ID."""
    names: Mapping[str, str]
    """All that need grants, by logical name."""


def workspace_members(
    deployers: Sequence[Deployer], run_as: str | None, workspace: pulumi.Resource, opts: ResourceOptions
) -> Members:
    """Add service principals to the workspace; `run_as` is the application ID of the one that training runs as.

    They are deleted with `workspace`, because one of them may be destroying the stack.
    """
    group = Group("azure:Members", "members", opts)
    named = {one.object_id: one.databricks_name for one in deployers if one.databricks_name is not None}
    applications = {
        one.object_id: named[one.object_id]
        for one in deployers
        if one.type is PrincipalType.SERVICE_PRINCIPAL and one.object_id in named
    }
    if run_as is not None and run_as not in applications.values():
        applications["training"] = run_as
    for called, application in applications.items():
        pulumi_databricks.ServicePrincipal(
            f"member-{called}",
            application_id=application,
            force=True,  # one that has deployed before is already a member
            opts=ResourceOptions(parent=group, deleted_with=workspace),
        )
    return Members(group=group, deployers=named, names={**named, **applications})


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
SINGLE_NODE = {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*, 4]"}


def training_job(
    workspace: pulumi.Resource,
    opts: ResourceOptions,
    *,
    name: str,
    tags: Mapping[str, str],
    deployers: Sequence[Deployer],
    run_as: str | None,
    mail: str,
    vm_size: str,
    workers: int,
    timeout_seconds: int,
    libraries: JobLibraries,
) -> pulumi_databricks.Job:
    """Cluster policy and job of this name, in the workspace of the given Databricks provider; deleted with it.

    The `deployers` manage both. `run_as` is the application ID of the principal that the job runs as, or else it is the
    deployer that first ran `up`; failed runs are reported to `mail`. With 0 `workers` the driver trains alone.
    """
    own = ResourceOptions(
        parent=Group("azure:TrainingJob", "training-job", opts),
        deleted_with=workspace,
    )
    alone = workers == 0
    policy = pulumi_databricks.ClusterPolicy(
        "training-policy", name=name, definition=json.dumps(_policy(workers, vm_size), sort_keys=True), opts=own
    )
    _let_manage("training-policy", deployers, "CAN_USE", own, cluster_policy_id=policy.id)
    cluster = pulumi_databricks.JobJobClusterNewClusterArgs(
        spark_version=RUNTIME,
        node_type_id=vm_size,
        num_workers=workers,
        policy_id=policy.id,
        data_security_mode=DEDICATED,
        runtime_engine="STANDARD",
        azure_attributes=pulumi_databricks.JobJobClusterNewClusterAzureAttributesArgs(
            availability=ON_DEMAND, first_on_demand=1
        ),
        spark_conf=SINGLE_NODE if alone else {},
        custom_tags={**tags, **({"ResourceClass": "SingleNode"} if alone else {})},
    )
    task = pulumi_databricks.JobTaskArgs(
        task_key=ENTRY_POINT,
        job_cluster_key=CLUSTER,
        python_wheel_task=pulumi_databricks.JobTaskPythonWheelTaskArgs(
            package_name=PROJECT,
            entry_point=ENTRY_POINT,
            parameters=[f"{{{{job.parameters.{REQUEST}}}}}"],
        ),
        libraries=[
            pulumi_databricks.JobTaskLibraryArgs(requirements=libraries.requirements_path),
            *(pulumi_databricks.JobTaskLibraryArgs(jar=jar) for jar in libraries.jar_paths),
        ],
        timeout_seconds=timeout_seconds,
        max_retries=0,
    )
    job = pulumi_databricks.Job(
        "training-job",
        name=name,
        max_concurrent_runs=1,
        job_clusters=[pulumi_databricks.JobJobClusterArgs(job_cluster_key=CLUSTER, new_cluster=cluster)],
        tasks=[task],
        parameters=[pulumi_databricks.JobParameterArgs(name=REQUEST, default="{}")],
        run_as=None if run_as is None else pulumi_databricks.JobRunAsArgs(service_principal_name=run_as),
        email_notifications=pulumi_databricks.JobEmailNotificationsArgs(on_failures=[mail]),
        timeout_seconds=timeout_seconds,
        tags=tags,
        opts=own,
    )
    _let_manage("training-job", deployers, "CAN_MANAGE", own, job_id=job.id)
    return job


def _let_manage(
    resource: str,
    deployers: Sequence[Deployer],
    level: str,
    own: ResourceOptions,
    *,
    job_id: Input[str] | None = None,
    cluster_policy_id: Input[str] | None = None,
) -> None:
    """Give every deployer this level on the job or policy, which belongs to whoever created it.

    A cluster policy has only CAN_USE; it is changed by workspace admins, which Contributors on the workspace are
    (databricks/terraform-provider-databricks, permission_definitions.go; Databricks, "Create and manage compute
    policies").
    """
    given = [
        pulumi_databricks.PermissionsAccessControlArgs(permission_level=level, **{FIELD[one.type]: one.databricks_name})
        for one in deployers
        if one.databricks_name is not None
    ]
    if given:
        pulumi_databricks.Permissions(
            f"{resource}-permissions",
            access_controls=given,
            job_id=job_id,
            cluster_policy_id=cluster_policy_id,
            opts=own,
        )


def _policy(workers: int, vm_size: str) -> dict[str, Any]:
    """The allowed clusters: exactly the job's, no autoscaling."""
    fixed = {
        "num_workers": workers,
        "node_type_id": vm_size,
        "spark_version": RUNTIME,
        "data_security_mode": DEDICATED,
        "azure_attributes.availability": ON_DEMAND,
    }
    never = ("autoscale.min_workers", "autoscale.max_workers")
    return {
        **{path: {"type": "fixed", "value": value} for path, value in fixed.items()},
        **{path: {"type": "forbidden"} for path in never},
    }
