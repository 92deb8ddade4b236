"""Monitoring: Log Analytics with a daily cap, Application Insights, container insights, and the alerts.

Container insights' add-on collects nothing without a collection rule and its association.
"""

from collections.abc import Sequence

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import applicationinsights, monitor, operationalinsights

from infra.cloud.names import Names
from infra.cloud.queries import ALERTS, whole
from infra.cloud.site import Site
from infra.step_resource import Group


class Monitoring(pulumi.ComponentResource):
    """The workspace `logs`, Application Insights on it, and the action group `operators`."""

    def __init__(
        self,
        site: Site,
        names: Names,
        opts: ResourceOptions,
        *,
        cap_gb: float,
        retention_days: int,
        mail: str,
        given: str | None,
    ) -> None:
        """Create them, except a workspace that is `given` by ID, which has its own daily cap and retention."""
        super().__init__("personalization:azure:Monitoring", "monitoring", None, opts)
        own = ResourceOptions(parent=self)
        self.logs: Input[str] = (
            given
            or operationalinsights.Workspace(
                "logs",
                workspace_name=names.logs,
                resource_group_name=site.group,
                location=site.location,
                sku=operationalinsights.WorkspaceSkuArgs(name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
                retention_in_days=retention_days,
                workspace_capping=operationalinsights.WorkspaceCappingArgs(daily_quota_gb=cap_gb),
                tags=site.tags,
                opts=own,
            ).id
        )
        """The ID of the workspace."""
        self.insights = applicationinsights.Component(
            "insights",
            resource_name_=names.insights,
            resource_group_name=site.group,
            location=site.location,
            kind="web",
            application_type=applicationinsights.ApplicationType.WEB,
            ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
            workspace_resource_id=self.logs,
            disable_local_auth=True,
            tags=site.tags,
            opts=own,
        )
        self.operators = monitor.ActionGroup(
            "operators",
            action_group_name=names.action_group,
            resource_group_name=site.group,
            location="global",
            group_short_name="operators",
            enabled=True,
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(
                    name="operators", email_address=mail, use_common_alert_schema=True
                )
            ],
            tags=site.tags,
            opts=own,
        )
        self.register_outputs({})


def send_logs(
    name: str,
    parent: pulumi.Resource,
    *,
    resource: Input[str],
    workspace: Input[str],
    categories: Sequence[str] = (),
) -> None:
    """Send a resource's logs to Log Analytics: all of them, unless `categories` selects some.

    `resource` is the resource's ID; for a storage account that of its Blob service, which has the logs.
    """
    logs = [monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True) for category in categories]
    everything = [monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)]
    monitor.DiagnosticSetting(
        f"{name}-logs",
        name="to-log-analytics",
        resource_uri=resource,
        workspace_id=workspace,
        logs=logs or everything,
        opts=ResourceOptions(parent=parent),
    )


STREAM = "Microsoft-ContainerInsights-Group-Default"
EXTENSION = "ContainerInsights"
DESTINATION = "log-analytics"
SETTINGS = {"dataCollectionSettings": {"interval": "1m", "namespaceFilteringMode": "Off", "enableContainerLogV2": True}}
"""Logs go to the table that the queries read; the older table does not contain a pod's namespace."""


def container_insights(
    site: Site, parent: pulumi.Resource, *, name: str, cluster: Input[str], workspace: Input[str]
) -> None:
    """The collection rule, and its association with the cluster, whose logs the workspace gets."""
    group = Group("azure:ContainerInsights", "container-insights", ResourceOptions(parent=parent))
    rule = monitor.DataCollectionRule(
        "containers",
        data_collection_rule_name=name,
        resource_group_name=site.group,
        location=site.location,
        data_sources=monitor.DataCollectionRuleDataSourcesArgs(
            extensions=[
                monitor.ExtensionDataSourceArgs(
                    name=EXTENSION, extension_name=EXTENSION, streams=[STREAM], extension_settings=SETTINGS
                )
            ]
        ),
        destinations=monitor.DataCollectionRuleDestinationsArgs(
            log_analytics=[monitor.LogAnalyticsDestinationArgs(name=DESTINATION, workspace_resource_id=workspace)]
        ),
        data_flows=[monitor.DataFlowArgs(streams=[STREAM], destinations=[DESTINATION])],
        tags=site.tags,
        opts=ResourceOptions(parent=group),
    )
    monitor.DataCollectionRuleAssociation(
        "containers-of-cluster",
        association_name=f"{EXTENSION}Extension",
        resource_uri=cluster,
        data_collection_rule_id=rule.id,
        opts=ResourceOptions(parent=group),
    )


EVERY = "PT5M"
WINDOW = "PT15M"
WARNING = 2
MORE = "GreaterThan"
"""For query rules; the SDK's enum of this name has another service's values."""
CLUSTER_NAMESPACE = "Microsoft.ContainerService/managedClusters"
METRICS = {"node-cpu": ("node_cpu_usage_percentage", 85), "node-memory": ("node_memory_working_set_percentage", 90)}
"""AKS metric and threshold (average, percent) by alert."""
RUNBOOKS = {
    "node-cpu": "overload",
    "node-memory": "overload",
    "failed-training": "failed-training",
    "service-errors": "service-errors",
    "error-rate": "service-errors",
    "latency": "overload",
    "no-traffic": "no-traffic",
    "drift": "drift",
    "certificate-expiry": "expired-certificate",
    "budget": "bill",
}
"""The runbook of each alert, a page of `docs/runbooks`."""


def alerts(
    site: Site,
    names: Names,
    parent: pulumi.Resource,
    monitoring: Monitoring,
    *,
    cluster: Input[str],
    namespace: str,
    container_logs: bool,
) -> None:
    """Metric alerts on the nodes, and query alerts on training runs and the service.

    `namespace` is the service's in Kubernetes, `container_logs` whether the pods' logs are collected.
    """
    own = ResourceOptions(parent=Group("azure:Alerts", "alerts", ResourceOptions(parent=parent)))
    for name, (metric, threshold) in METRICS.items():
        monitor.MetricAlert(
            name,
            rule_name=names.part(name),
            resource_group_name=site.group,
            location="global",
            description=what_to_do(name),
            enabled=True,
            severity=WARNING,
            scopes=[cluster],
            evaluation_frequency=EVERY,
            window_size=WINDOW,
            criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
                odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                all_of=[
                    monitor.MetricCriteriaArgs(
                        criterion_type="StaticThresholdCriterion",
                        name=name,
                        metric_namespace=CLUSTER_NAMESPACE,
                        metric_name=metric,
                        operator=monitor.Operator.GREATER_THAN,
                        threshold=threshold,
                        time_aggregation=monitor.AggregationTypeEnum.AVERAGE,
                        skip_metric_validation=True,  # a new cluster has no metrics yet
                    )
                ],
            ),
            actions=[monitor.MetricAlertActionArgs(action_group_id=monitoring.operators.id)],
            tags=site.tags,
            opts=own,
        )
    for name, alert in ALERTS.items():
        if alert.of_service and not container_logs:
            continue
        monitor.ScheduledQueryRule(
            name,
            rule_name=names.part(name),
            resource_group_name=site.group,
            location=site.location,
            description=what_to_do(name),
            enabled=True,
            severity=WARNING,
            scopes=[monitoring.logs],
            evaluation_frequency=EVERY,
            window_size=alert.window,
            skip_query_validation=True,  # the tables are created with their first rows
            criteria=monitor.ScheduledQueryRuleCriteriaArgs(
                all_of=[
                    monitor.ConditionArgs(
                        query=whole(alert.query, namespace),
                        time_aggregation=monitor.TimeAggregation.COUNT,
                        operator=MORE,
                        threshold=0,
                    )
                ]
            ),
            actions=monitor.ActionsArgs(action_groups=[monitoring.operators.id]),
            tags=site.tags,
            opts=own,
        )


def what_to_do(alert: str) -> str:
    """Text for the alert's mail."""
    return f"What to do: docs/runbooks/{RUNBOOKS[alert]}.md"
