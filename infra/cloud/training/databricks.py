"""The Databricks workspace, and the identity with which it accesses the lake."""

from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import databricks

from infra.cloud.names import Names
from infra.cloud.site import Site


@dataclass(frozen=True, kw_only=True)
class DatabricksArgs:
    """Where the workspace goes and its names."""

    site: Site
    subscription: str
    names: Names


class Databricks(pulumi.ComponentResource):
    """The workspace and its access connector. Databricks makes the managed group itself and refuses one that exists."""

    def __init__(self, name: str, args: DatabricksArgs, opts: ResourceOptions | None = None) -> None:
        """Make both."""
        super().__init__("personalization:azure:Databricks", name, None, opts)
        site = args.site
        self.workspace = databricks.Workspace(
            "databricks-workspace",
            workspace_name=args.names.databricks,
            resource_group_name=site.group,
            location=site.location,
            sku=databricks.SkuArgs(name="premium"),
            compute_mode=databricks.ComputeMode.HYBRID,  # can't be changed later, so it is said from the start
            managed_resource_group_id=f"/subscriptions/{args.subscription}/resourceGroups/{args.names.databricks_group}",
            parameters=databricks.WorkspaceCustomParametersArgs(
                enable_no_public_ip=databricks.WorkspaceNoPublicIPBooleanParameterArgs(value=True)
            ),
            public_network_access=databricks.PublicNetworkAccess.ENABLED,
            required_nsg_rules=databricks.RequiredNsgRules.ALL_RULES,
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


def _principal(identity: databricks.outputs.ManagedServiceIdentityResponse | None) -> str:
    if identity is None:
        raise ValueError("Azure left out the identity of the access connector")
    return identity.principal_id
