"""The Azure ML workspace, which holds the model registry and the lineage of images."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import machinelearningservices

from infra.cloud.site import Site

ACCESS = machinelearningservices.PublicNetworkAccessType


@dataclass(frozen=True, kw_only=True)
class MachineLearningArgs:
    """The workspace's location and name, and the resources that it uses."""

    site: Site
    name: str
    storage_account: Input[str]
    """ID of an account without a hierarchical namespace."""
    vault: Input[str]
    insights: Input[str]
    registry: Input[str]
    """Otherwise the first image build would create another registry, with an admin user."""


class MachineLearning(pulumi.ComponentResource):
    """The workspace. Azure assigns its identity the roles that it needs on the other services."""

    def __init__(self, name: str, args: MachineLearningArgs, opts: ResourceOptions | None = None) -> None:
        """Create the workspace."""
        super().__init__("personalization:azure:MachineLearning", name, None, opts)
        self.workspace = machinelearningservices.Workspace(
            "machine-learning",
            workspace_name=args.name,
            resource_group_name=args.site.group,
            location=args.site.location,
            kind="Default",
            sku=machinelearningservices.SkuArgs(name="Basic", tier=machinelearningservices.SkuTier.BASIC),
            identity=machinelearningservices.ManagedServiceIdentityArgs(
                type=machinelearningservices.ManagedServiceIdentityType.SYSTEM_ASSIGNED
            ),
            storage_account=args.storage_account,
            key_vault=args.vault,
            application_insights=args.insights,
            container_registry=args.registry,
            system_datastores_auth_mode=machinelearningservices.SystemDatastoresAuthMode.IDENTITY,
            public_network_access=ACCESS.DISABLED if args.site.private else ACCESS.ENABLED,
            hbi_workspace=False,
            v1_legacy_mode=False,
            tags=args.site.tags,
            opts=ResourceOptions(parent=self, protect=args.site.protect),
        )
        self.id = self.workspace.id
        self.name = self.workspace.name
        self.register_outputs({"workspace": self.id})
