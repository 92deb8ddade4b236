"""What a cluster in the stack's own network needs: an identity, with roles on its subnets."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import managedidentity

from infra.cloud.role_list import Role
from infra.cloud.roles import Grant, assign
from infra.cloud.site import Site


@dataclass(frozen=True, kw_only=True)
class ClusterNetworkArgs:
    """Location and name of the identity, and the IDs of the subnets for nodes and load balancer."""

    site: Site
    name: str
    subscription: str
    nodes: Input[str]
    service: Input[str]


class ClusterNetwork(pulumi.ComponentResource):
    """The identity's ID and the nodes' subnet; the cluster must wait for `roles`."""

    def __init__(self, name: str, args: ClusterNetworkArgs, opts: ResourceOptions | None = None) -> None:
        """Create the identity and assign both roles."""
        super().__init__("personalization:azure:ClusterNetwork", name, None, opts)
        made = managedidentity.UserAssignedIdentity(
            "aks-identity",
            resource_name_=args.name,
            resource_group_name=args.site.group,
            location=args.site.location,
            tags=args.site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.identity = made.id
        self.nodes = args.nodes
        self.roles: list[pulumi.Resource] = []
        for called, subnet in (("nodes", args.nodes), ("service", args.service)):
            grant = Grant(
                subscription=args.subscription,
                scope=subnet,
                role=Role.NETWORK_CONTRIBUTOR,
                principal=made.principal_id,
            )
            self.roles.append(assign(f"cluster-{called}-subnet", grant, ResourceOptions(parent=self)))
        self.register_outputs({})
