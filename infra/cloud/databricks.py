"""Databricks: the workspace with the identity by which it accesses the lake, its members, and the job that trains.

The job runs the project's wheel on a cluster of fixed size, with libraries from the lake; the step `TrainingRun` starts
the runs. Databricks refuses a grant to somebody who is not in its account or workspace yet ("Could not find principal",
"Principal not found in account": databricks/terraform-provider-databricks, issues 1773, 5414, 5018), whatever Entra ID
knows. That adding them this way is enough was seen only on the simulation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks
from pulumi import Input, Output, ResourceOptions
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
    """Principals by their names in Databricks, once `group` exists: then all of them are members."""

    group: pulumi.Resource
    deployers: Mapping[str, str]
    """Those who manage the stack's objects, by object ID."""
    names: Mapping[str, str]
    """All that need grants, by logical name."""


def workspace_members(
    deployers: Sequence[Deployer], run_as: str | None, workspace: pulumi.Resource, opts: ResourceOptions
) -> Members:
    """Add the deployers to the workspace as its admins; `run_as` is the application ID that training runs as.

    Only admins read and change what others created, such as the job, its members and their permissions. A group must be
    in Databricks' account already. All are deleted with `workspace`: one of them may be destroying the stack.
    """
    group = Group("azure:Members", "members", opts)
    own = ResourceOptions(parent=group, deleted_with=workspace)
    named = {one.object_id: one.databricks_name for one in deployers if one.databricks_name is not None}
    kinds = {one.object_id: one.type for one in deployers}
    for called, name in named.items():
        member = _member(called, kinds[called], name, run_as, own)
        pulumi_databricks.PermissionAssignment(
            f"admin-{called}",
            permissions=["ADMIN"],
            # By name everybody becomes a user first and an admin then, also whoever is one and runs this (`Create` in
            # databricks/terraform-provider-databricks, access/resource_permission_assignment.go).
            principal_id=member,
            group_name=name if member is None else None,
            opts=own,
        )
    trains = {} if run_as is None or run_as in named.values() else {"training": run_as}
    for called, name in trains.items():
        _member(called, PrincipalType.SERVICE_PRINCIPAL, name, run_as, own)
    return Members(group=group, deployers=named, names={**named, **trains})


def _member(
    called: str, kind: PrincipalType, name: str, run_as: str | None, own: ResourceOptions
) -> Output[str] | None:
    """Add a user or a service principal, who may be there already; their ID, None for a group.

    The one that runs the job creates its cluster.
    """
    match kind:
        case PrincipalType.USER:
            return pulumi_databricks.User(f"member-{called}", user_name=name, force=True, opts=own).id
        case PrincipalType.SERVICE_PRINCIPAL:
            trains = name == run_as or None
            return pulumi_databricks.ServicePrincipal(
                f"member-{called}", application_id=name, force=True, allow_cluster_create=trains, opts=own
            ).id
        case PrincipalType.GROUP:
            return None


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
SINGLE_NODE = {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*, 4]"}


def training_job(
    workspace: pulumi.Resource,
    opts: ResourceOptions,
    *,
    name: str,
    tags: Mapping[str, str],
    run_as: str | None,
    mail: str,
    vm_size: str,
    workers: int,
    timeout_seconds: int,
    libraries: JobLibraries,
) -> pulumi_databricks.Job:
    """The job of this name, in the workspace of the given Databricks provider; deleted with it.

    `run_as` is the application ID of the principal that it runs as, or else it is the deployer that first ran `up`;
    failed runs are reported to `mail`. With 0 `workers` the driver trains alone.
    """
    alone = workers == 0
    cluster = pulumi_databricks.JobJobClusterNewClusterArgs(
        spark_version=RUNTIME,
        node_type_id=vm_size,
        num_workers=workers,
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
            *(pulumi_databricks.JobTaskLibraryArgs(whl=wheel) for wheel in libraries.wheel_paths),
            *(pulumi_databricks.JobTaskLibraryArgs(jar=jar) for jar in libraries.jar_paths),
        ],
        timeout_seconds=timeout_seconds,
        max_retries=0,
    )
    return pulumi_databricks.Job(
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
        opts=ResourceOptions(parent=Group("azure:TrainingJob", "training-job", opts), deleted_with=workspace),
    )
