"""Two resource groups: serving must be highly available, training need not be."""

from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import resources

from infra.azure_settings import AzureSettings
from infra.cloud.names import Names
from infra.cloud.site import Site, tags_of
from infra.setting_types import Network


@dataclass(frozen=True, kw_only=True)
class ResourceGroupsArgs:
    """The stack's settings and names."""

    settings: AzureSettings
    names: Names


class ResourceGroups(pulumi.ComponentResource):
    """The groups `training` and `serving`, which contain everything else."""

    def __init__(self, name: str, args: ResourceGroupsArgs, opts: ResourceOptions | None = None) -> None:
        """Create both groups."""
        super().__init__("personalization:azure:ResourceGroups", name, None, opts)
        self.training = self._site("training", args.names.training_group, args)
        self.serving = self._site("serving", args.names.serving_group, args)
        self.register_outputs({"training": self.training.group, "serving": self.serving.group})

    def _site(self, name: str, physical: str, args: ResourceGroupsArgs) -> Site:
        tags = tags_of(args.settings, args.names.stack)
        group = resources.ResourceGroup(
            name,
            resource_group_name=physical,
            location=args.settings.location,
            tags=tags,
            opts=ResourceOptions(parent=self),
        )
        return Site(
            group=group.name,
            location=args.settings.location,
            tags=tags,
            protect=args.settings.protect,
            private=args.settings.network is Network.PRIVATE,
        )
