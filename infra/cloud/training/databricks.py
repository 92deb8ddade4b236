"""The Databricks workspace, and the identity with which it accesses the lake."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import databricks

from infra.cloud.names import Names
from infra.cloud.site import Site

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
