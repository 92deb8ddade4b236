"""The container registry. Its admin user is disabled: builds and nodes use roles."""

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import containerregistry

from infra.azure_settings import RegistryTier
from infra.cloud.site import Site
from infra.step_resource import Group

ACCESS = containerregistry.PublicNetworkAccess


def container_registry(
    site: Site, parent: pulumi.Resource, *, name: str, tier: RegistryTier
) -> containerregistry.Registry:
    """The registry; its `login_server` is the first part of its images' names."""
    return containerregistry.Registry(
        "registry",
        registry_name=name,
        resource_group_name=site.group,
        location=site.location,
        sku=containerregistry.SkuArgs(name=containerregistry.SkuName(tier.value)),
        admin_user_enabled=False,
        anonymous_pull_enabled=False,
        public_network_access=ACCESS.DISABLED if site.private else ACCESS.ENABLED,
        network_rule_bypass_options=containerregistry.NetworkRuleBypassOptions.AZURE_SERVICES,
        tags=site.tags,
        opts=ResourceOptions(
            parent=Group("azure:ContainerRegistry", "container-registry", ResourceOptions(parent=parent)),
            protect=site.protect,
        ),
    )
