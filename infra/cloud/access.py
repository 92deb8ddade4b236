"""Who may do what: every role assignment of the stack, each as narrow as Azure's built-in roles allow."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions

from infra.azure_settings import Deployer, PrincipalType
from infra.cloud.role_list import Role
from infra.cloud.roles import Grant, assign


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """The resources by id, and the identities by object id: of what is there before the cluster."""

    subscription: str
    deployers: Sequence[Deployer]
    lake: Input[str]
    workspace_storage: Input[str]
    machine_learning: Input[str]
    registry: Input[str]
    connector_principal: Input[str]


@dataclass(frozen=True, kw_only=True)
class ClusterAccessArgs:
    """Of the cluster, and of what its pods use."""

    cluster: Input[str]
    registry: Input[str]
    vault: Input[str]
    kubelet_principal: Input[str]
    scoring_principal: Input[str]
    traced_to: Input[str] | None
    """Application Insights that the pods send traces to."""


class Access(pulumi.ComponentResource):
    """The assignments. What works with somebody's role depends on it, so that it ends before the role does."""

    def __init__(self, name: str, args: AccessArgs, opts: ResourceOptions | None = None) -> None:
        """Give all roles that no cluster is needed for."""
        super().__init__("personalization:azure:Access", name, None, opts)
        self._subscription, self._deployers = args.subscription, args.deployers
        self.lake: list[pulumi.Resource] = []
        """To read and write the lake, for deployers and Databricks."""
        self.models: list[pulumi.Resource] = []
        """To register models, for deployers."""
        self.images: list[pulumi.Resource] = []
        """To push and pull images, for deployers."""
        self.cluster: list[pulumi.Resource] = []
        """To administer the cluster, for deployers."""
        self.pods: list[pulumi.Resource] = []
        """What the service's pods need to start."""
        for deployer in args.deployers:
            self._deployer(deployer, args)
        self.lake.append(
            self._service("connector-lake", args.lake, Role.BLOB_DATA_CONTRIBUTOR, args.connector_principal)
        )
        self.register_outputs({})

    def open_cluster(self, args: ClusterAccessArgs) -> None:
        """Give the roles on the cluster, and those of its nodes and pods."""
        for deployer in self._deployers:
            self._give(self.cluster, deployer, "cluster-credentials", args.cluster, Role.CLUSTER_USER)
            self._give(self.cluster, deployer, "cluster", args.cluster, Role.CLUSTER_ADMIN)
        pull = self._service("nodes-pull", args.registry, Role.REGISTRY_PULL, args.kubelet_principal)
        secrets = self._service("pods-secrets", args.vault, Role.SECRETS_USER, args.scoring_principal)
        self.pods += [pull, secrets]
        if args.traced_to is not None:
            self.pods.append(
                self._service("pods-traces", args.traced_to, Role.METRICS_PUBLISHER, args.scoring_principal)
            )

    def _deployer(self, deployer: Deployer, args: AccessArgs) -> None:
        given = (
            (self.lake, "lake", args.lake, Role.BLOB_DATA_CONTRIBUTOR),
            (self.models, "workspace-blobs", args.workspace_storage, Role.BLOB_DATA_CONTRIBUTOR),
            (self.models, "workspace-files", args.workspace_storage, Role.FILE_DATA_CONTRIBUTOR),
            (self.models, "models", args.machine_learning, Role.DATA_SCIENTIST),
            (self.images, "images", args.registry, Role.REGISTRY_PUSH),
        )
        for assignments, name, scope, role in given:
            self._give(assignments, deployer, name, scope, role)

    def _give(
        self, assignments: list[pulumi.Resource], deployer: Deployer, name: str, scope: Input[str], role: Role
    ) -> None:
        grant = Grant(
            subscription=self._subscription,
            scope=scope,
            role=role,
            principal=deployer.object_id,
            type=deployer.type,
        )
        assignments.append(assign(f"{deployer.object_id}-{name}", grant, ResourceOptions(parent=self)))

    def _service(self, name: str, scope: Input[str], role: Role, principal: Input[str]) -> pulumi.Resource:
        grant = Grant(
            subscription=self._subscription,
            scope=scope,
            role=role,
            principal=principal,
            type=PrincipalType.SERVICE_PRINCIPAL,
        )
        return assign(name, grant, ResourceOptions(parent=self))
