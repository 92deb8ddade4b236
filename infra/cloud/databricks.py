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
from steps.job_libraries import JobLibraries
from tools.versions import DATABRICKS_RUNTIME, SCALA
from training.platform import SWITCH

ACCESS = databricks.PublicNetworkAccess
RULES = databricks.RequiredNsgRules
NO_PUBLIC_ADDRESSES = databricks.WorkspaceNoPublicIPBooleanParameterArgs(value=True)


@dataclass(frozen=True, kw_only=True)
class DatabricksNetwork:
    """The clusters' network, and the names of its two subnets that are delegated to Databricks."""

    id: Input[str]
    hosts: str
    containers: str


@dataclass(frozen=True, kw_only=True)
class DatabricksArgs:
    """The workspace's location, names and network."""

    site: Site
    subscription: str
    names: Names
    network: DatabricksNetwork | None
    """None: Databricks creates its own network."""


class Databricks(pulumi.ComponentResource):
    """The workspace and its access connector. Databricks creates the managed resource group, which must not exist."""

    def __init__(self, name: str, args: DatabricksArgs, opts: ResourceOptions | None = None) -> None:
        """Create both."""
        super().__init__("personalization:azure:Databricks", name, None, opts)
        site = args.site
        self.workspace = databricks.Workspace(
            "databricks-workspace",
            workspace_name=args.names.databricks,
            resource_group_name=site.group,
            location=site.location,
            sku=databricks.SkuArgs(name="premium"),
            compute_mode=databricks.ComputeMode.HYBRID,  # can't be changed later, so it is set explicitly
            managed_resource_group_id=f"/subscriptions/{args.subscription}/resourceGroups/{args.names.databricks_group}",
            parameters=_parameters(args.network),
            public_network_access=ACCESS.DISABLED if site.private else ACCESS.ENABLED,
            # Clusters that use a private endpoint need no rules for Databricks' public addresses.
            required_nsg_rules=RULES.NO_AZURE_DATABRICKS_RULES if site.private else RULES.ALL_RULES,
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.connector = databricks.AccessConnector(
            "lake-access",
            connector_name=args.names.connector,
            resource_group_name=site.group,
            location=site.location,
            identity=databricks.ManagedServiceIdentityArgs(type=databricks.ManagedServiceIdentityType.SYSTEM_ASSIGNED),
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.connector_principal = self.connector.identity.apply(_principal)
        self.register_outputs({"workspace": self.workspace.id, "url": self.workspace.workspace_url})


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


class Members(pulumi.ComponentResource):
    """The deployers' service principals in the workspace. `names` are all names for grants."""

    def __init__(
        self,
        name: str,
        deployers: Sequence[Deployer],
        run_as: str | None,
        workspace: pulumi.Resource,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Add them; `run_as` is the application ID of the one that training runs as.

        They are deleted with `workspace`, because one of them may be destroying the stack.
        """
        super().__init__("personalization:azure:Members", name, None, opts)
        applications = {
            deployer.object_id: deployer.databricks_name
            for deployer in deployers
            if deployer.type is PrincipalType.SERVICE_PRINCIPAL and deployer.databricks_name is not None
        }
        if run_as is not None and run_as not in applications.values():
            applications["training"] = run_as
        for called, application in applications.items():
            pulumi_databricks.ServicePrincipal(
                f"member-{called}",
                application_id=application,
                force=True,  # one that has deployed before is already a member
                opts=ResourceOptions(parent=self, deleted_with=workspace),
            )
        named = {one.object_id: one.databricks_name for one in deployers if one.databricks_name is not None}
        self.deployers: dict[str, str] = named
        """The names of those who manage the stack's objects, by object ID."""
        self.names: dict[str, str] = {**named, **applications}
        """By logical name."""
        self.register_outputs({})


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
    """Name and tags of policy and job, the cluster's size, and the code to run on it."""

    name: str
    tags: Mapping[str, str]
    deployers: Sequence[Deployer]
    """Those who manage both."""
    run_as: str | None
    """The application ID of the principal that it runs as; None: the deployer that first ran `up`."""
    mail: str
    """Address for failed runs."""
    vm_size: str
    workers: int
    """Beside the driver; 0 trains on the driver alone."""
    timeout_seconds: int
    binary_files: bool
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
        policy = pulumi_databricks.ClusterPolicy(
            "training-policy",
            name=args.name,
            definition=json.dumps(_policy(args), sort_keys=True),
            opts=self._options,
        )
        self._let_manage("training-policy", "CAN_USE", cluster_policy_id=policy.id)
        self.job = self._job(policy)
        self.job_id = self.job.id
        self.register_outputs({"job_id": self.job_id, "url": self.job.url})

    def _job(self, policy: pulumi_databricks.ClusterPolicy) -> pulumi_databricks.Job:
        args, libraries = self._args, self._args.libraries
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
            timeout_seconds=args.timeout_seconds,
            max_retries=0,
        )
        cluster = self._cluster(policy)
        job = pulumi_databricks.Job(
            "training-job",
            name=args.name,
            max_concurrent_runs=1,
            job_clusters=[pulumi_databricks.JobJobClusterArgs(job_cluster_key=CLUSTER, new_cluster=cluster)],
            tasks=[task],
            parameters=[pulumi_databricks.JobParameterArgs(name=REQUEST, default="{}")],
            run_as=None if args.run_as is None else pulumi_databricks.JobRunAsArgs(service_principal_name=args.run_as),
            email_notifications=pulumi_databricks.JobEmailNotificationsArgs(on_failures=[args.mail]),
            timeout_seconds=args.timeout_seconds,
            tags=args.tags,
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
        named = [one for one in self._args.deployers if one.databricks_name is not None]
        if named:
            given = [
                pulumi_databricks.PermissionsAccessControlArgs(
                    permission_level=level, **{FIELD[one.type]: one.databricks_name}
                )
                for one in named
            ]
            pulumi_databricks.Permissions(
                f"{resource}-permissions",
                access_controls=given,
                job_id=job_id,
                cluster_policy_id=cluster_policy_id,
                opts=self._options,
            )

    def _cluster(self, policy: pulumi_databricks.ClusterPolicy) -> pulumi_databricks.JobJobClusterNewClusterArgs:
        args = self._args
        alone = args.workers == 0
        return pulumi_databricks.JobJobClusterNewClusterArgs(
            spark_version=RUNTIME,
            node_type_id=args.vm_size,
            num_workers=args.workers,
            policy_id=policy.id,
            data_security_mode=DEDICATED,
            runtime_engine="STANDARD",
            azure_attributes=pulumi_databricks.JobJobClusterNewClusterAzureAttributesArgs(
                availability=ON_DEMAND, first_on_demand=1
            ),
            spark_conf={**(SINGLE_NODE if alone else {}), **(BINARY_FILES if args.binary_files else {})},
            custom_tags={**args.tags, **({"ResourceClass": "SingleNode"} if alone else {})},
        )


def _policy(args: TrainingJobArgs) -> dict[str, Any]:
    """The allowed clusters: exactly the job's, no autoscaling."""
    fixed = {
        "num_workers": args.workers,
        "node_type_id": args.vm_size,
        "spark_version": RUNTIME,
        "data_security_mode": DEDICATED,
        "azure_attributes.availability": ON_DEMAND,
    }
    never = ("autoscale.min_workers", "autoscale.max_workers")
    return {
        **{path: {"type": "fixed", "value": value} for path, value in fixed.items()},
        **{path: {"type": "forbidden"} for path in never},
    }
