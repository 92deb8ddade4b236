"""The container registry. Its admin user is disabled: builds and nodes use roles."""

from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import containerregistry

from infra.azure_settings import RegistryTier
from infra.cloud.site import Site

ACCESS = containerregistry.PublicNetworkAccess


@dataclass(frozen=True, kw_only=True)
class ContainerRegistryArgs:
    """Location, name and tier."""

    site: Site
    name: str
    tier: RegistryTier


class ContainerRegistry(pulumi.ComponentResource):
    """The registry; `server` is the first part of its images' names."""

    def __init__(self, name: str, args: ContainerRegistryArgs, opts: ResourceOptions | None = None) -> None:
        """Create the registry."""
        super().__init__("personalization:azure:ContainerRegistry", name, None, opts)
        self.registry = containerregistry.Registry(
            "registry",
            registry_name=args.name,
            resource_group_name=args.site.group,
            location=args.site.location,
            sku=containerregistry.SkuArgs(name=containerregistry.SkuName(args.tier.value)),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            public_network_access=ACCESS.DISABLED if args.site.private else ACCESS.ENABLED,
            network_rule_bypass_options=containerregistry.NetworkRuleBypassOptions.AZURE_SERVICES,
            tags=args.site.tags,
            opts=ResourceOptions(parent=self, protect=args.site.protect),
        )
        self.id = self.registry.id
        self.name = self.registry.name
        self.server = self.registry.login_server
        self.register_outputs({"registry": self.id, "server": self.server})
