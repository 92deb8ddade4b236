"""Who may do what: role assignments, each with the narrowest built-in role that works.

Their names do not depend on who creates them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import authorization

from infra.azure_settings import Deployer, PrincipalType
from infra.cloud.names import role_assignment_name
from infra.cloud.role_list import Role


def assign(
    name: str,
    parent: pulumi.Resource,
    *,
    scope: Input[str],
    role: Role,
    principal: Input[str],
    subscription: str,
    kind: PrincipalType = PrincipalType.SERVICE_PRINCIPAL,
) -> authorization.RoleAssignment:
    """Give a role on the resource `scope` to a principal, both by ID.

    The assignment's name is the same for every deployer, so that nobody's `up` changes it. The principal's kind is
    always sent: by default Azure looks for a user, and does not find a new identity.
    """
    return authorization.RoleAssignment(
        name,
        role_assignment_name=Output.all(scope, principal).apply(
            lambda known: role_assignment_name(known[0], role, known[1])
        ),
        scope=scope,
        role_definition_id=f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        principal_id=principal,
        principal_type=authorization.PrincipalType(kind.value),
        opts=ResourceOptions(parent=parent),
    )


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Resource IDs, and object IDs of identities, of everything that exists before the cluster."""

    subscription: str
    deployers: Sequence[Deployer]
    lake: Input[str]
    workspace_storage: Input[str]
    machine_learning: Input[str]
    registry: Input[str]
    connector_principal: Input[str]


@dataclass(frozen=True, kw_only=True)
class ClusterAccessArgs:
    """Resource IDs and object IDs of the cluster and of what its pods use."""

    cluster: Input[str]
    registry: Input[str]
    vault: Input[str]
    kubelet_principal: Input[str]
    scoring_principal: Input[str]
    snapshots: Input[str] | None
    """The lake's container with users' histories, if the pods recommend."""


class Access(pulumi.ComponentResource):
    """The assignments. Whatever needs a role depends on the assignment, so that it is deleted before it."""

    def __init__(self, name: str, args: AccessArgs, opts: ResourceOptions | None = None) -> None:
        """Assign all roles that don't need a cluster."""
        super().__init__("personalization:azure:Access", name, None, opts)
        self._subscription, self._deployers = args.subscription, args.deployers
        self.lake: list[pulumi.Resource] = []
        """For reading and writing the lake: deployers and Databricks."""
        self.models: list[pulumi.Resource] = []
        """For registering models: deployers."""
        self.images: list[pulumi.Resource] = []
        """For pushing and pulling images: deployers."""
        self.cluster: list[pulumi.Resource] = []
        """For administering the cluster: deployers."""
        self.pods: list[pulumi.Resource] = []
        """For starting the service's pods: nodes and pods."""
        for deployer in args.deployers:
            self._deployer(deployer, args)
        self.lake.append(
            self._service("connector-lake", args.lake, Role.BLOB_DATA_CONTRIBUTOR, args.connector_principal)
        )
        self.register_outputs({})

    def open_cluster(self, args: ClusterAccessArgs) -> None:
        """Assign the roles on the cluster, and those of its nodes and pods."""
        for deployer in self._deployers:
            self._give(self.cluster, deployer, "cluster-credentials", args.cluster, Role.CLUSTER_USER)
            self._give(self.cluster, deployer, "cluster", args.cluster, Role.CLUSTER_ADMIN)
        pull = self._service("nodes-pull", args.registry, Role.REGISTRY_PULL, args.kubelet_principal)
        secrets = self._service("pods-secrets", args.vault, Role.SECRETS_USER, args.scoring_principal)
        self.pods += [pull, secrets]
        if args.snapshots is not None:
            self.pods.append(
                self._service("pods-snapshots", args.snapshots, Role.BLOB_DATA_READER, args.scoring_principal)
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
        assignments.append(
            assign(
                f"{deployer.object_id}-{name}",
                self,
                scope=scope,
                role=role,
                principal=deployer.object_id,
                subscription=self._subscription,
                kind=deployer.type,
            )
        )

    def _service(self, name: str, scope: Input[str], role: Role, principal: Input[str]) -> pulumi.Resource:
        return assign(name, self, scope=scope, role=role, principal=principal, subscription=self._subscription)
