"""The Azure ML workspace, which holds the model registry and the lineage of images."""

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import machinelearningservices

from infra.cloud.site import Site
from infra.step_resource import Group

ACCESS = machinelearningservices.PublicNetworkAccessType


def machine_learning(
    site: Site,
    parent: pulumi.Resource,
    *,
    name: str,
    storage_account: Input[str],
    vault: Input[str],
    insights: Input[str],
    registry: Input[str],
) -> machinelearningservices.Workspace:
    """The workspace, and the IDs of what it uses. Azure assigns its identity the roles that it needs on the others.

    The storage account has no hierarchical namespace. Without a container registry, the first image build would create
    another one, with an admin user.
    """
    return machinelearningservices.Workspace(
        "machine-learning",
        workspace_name=name,
        resource_group_name=site.group,
        location=site.location,
        kind="Default",
        sku=machinelearningservices.SkuArgs(name="Basic", tier=machinelearningservices.SkuTier.BASIC),
        identity=machinelearningservices.ManagedServiceIdentityArgs(
            type=machinelearningservices.ManagedServiceIdentityType.SYSTEM_ASSIGNED
        ),
        storage_account=storage_account,
        key_vault=vault,
        application_insights=insights,
        container_registry=registry,
        system_datastores_auth_mode=machinelearningservices.SystemDatastoresAuthMode.IDENTITY,
        public_network_access=ACCESS.DISABLED if site.private else ACCESS.ENABLED,
        hbi_workspace=False,
        v1_legacy_mode=False,
        tags=site.tags,
        opts=ResourceOptions(
            parent=Group("azure:MachineLearning", "machine-learning", ResourceOptions(parent=parent)),
            protect=site.protect,
        ),
    )
