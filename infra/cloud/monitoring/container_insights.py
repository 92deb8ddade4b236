"""Container insights. The add-on collects nothing without a collection rule and its association."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import monitor

from infra.cloud.site import Site

STREAM = "Microsoft-ContainerInsights-Group-Default"
EXTENSION = "ContainerInsights"
DESTINATION = "log-analytics"
SETTINGS = {"dataCollectionSettings": {"interval": "1m", "namespaceFilteringMode": "Off", "enableContainerLogV2": True}}
"""Logs go to the table that the queries read; the older table does not contain a pod's namespace."""


@dataclass(frozen=True, kw_only=True)
class ContainerInsightsArgs:
    """A cluster, and the workspace for its logs."""

    site: Site
    name: str
    cluster: Input[str]
    workspace: Input[str]


class ContainerInsights(pulumi.ComponentResource):
    """The collection rule, and its association with the cluster."""

    def __init__(self, name: str, args: ContainerInsightsArgs, opts: ResourceOptions | None = None) -> None:
        """Create both."""
        super().__init__("personalization:azure:ContainerInsights", name, None, opts)
        rule = monitor.DataCollectionRule(
            "containers",
            data_collection_rule_name=args.name,
            resource_group_name=args.site.group,
            location=args.site.location,
            data_sources=monitor.DataCollectionRuleDataSourcesArgs(
                extensions=[
                    monitor.ExtensionDataSourceArgs(
                        name=EXTENSION, extension_name=EXTENSION, streams=[STREAM], extension_settings=SETTINGS
                    )
                ]
            ),
            destinations=monitor.DataCollectionRuleDestinationsArgs(
                log_analytics=[
                    monitor.LogAnalyticsDestinationArgs(name=DESTINATION, workspace_resource_id=args.workspace)
                ]
            ),
            data_flows=[monitor.DataFlowArgs(streams=[STREAM], destinations=[DESTINATION])],
            tags=args.site.tags,
            opts=ResourceOptions(parent=self),
        )
        monitor.DataCollectionRuleAssociation(
            "containers-of-cluster",
            association_name=f"{EXTENSION}Extension",
            resource_uri=args.cluster,
            data_collection_rule_id=rule.id,
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})
