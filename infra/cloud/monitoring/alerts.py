"""The alerts, and the workbook to read when one fires."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import applicationinsights, monitor

from infra.cloud.monitoring.queries import ALERTS, Alert, whole
from infra.cloud.monitoring.workbook import workbook
from infra.cloud.names import Names, resource_groups
from infra.cloud.site import Site

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
    "unknown-users": "unknown-users",
    "certificate-expiry": "expired-certificate",
    "budget": "bill",
    "availability": "unreachable",
}
"""The runbook of each alert, a page of `docs/runbooks`."""


@dataclass(frozen=True, kw_only=True)
class AlertsArgs:
    """The monitored resources, and who is notified."""

    site: Site
    names: Names
    cluster: Input[str]
    logs: Input[str]
    operators: Input[str]
    namespace: str
    """Kubernetes namespace of the service."""
    container_logs: bool
    """Whether the pods' logs are collected."""
    recommends: bool
    """Whether the service recommends."""


class Alerts(pulumi.ComponentResource):
    """Metric alerts on the nodes, query alerts on training runs and the service, and the workbook."""

    def __init__(self, name: str, args: AlertsArgs, opts: ResourceOptions | None = None) -> None:
        """Create all of them."""
        super().__init__("personalization:azure:Alerts", name, None, opts)
        self._args = args
        for alert, (metric, threshold) in METRICS.items():
            self._metric(alert, metric, threshold)
        for alert, found in ALERTS.items():
            if (args.container_logs or not found.of_service) and (args.recommends or not found.of_recommendations):
                self._query(alert, found)
        applicationinsights.Workbook(
            "workbook",
            resource_name_=args.names.workbook,
            resource_group_name=args.site.group,
            location=args.site.location,
            kind=applicationinsights.WorkbookSharedTypeKind.SHARED,
            category="workbook",
            display_name=f"Personalization, stack {args.names.stack}",
            source_id=args.logs,
            serialized_data=pulumi.Output.json_dumps(
                workbook(
                    stack=args.names.stack,
                    cluster=args.cluster,
                    logs=args.logs,
                    namespace=args.namespace,
                    groups=resource_groups(args.names),
                    of_service=args.container_logs,
                )
            ),
            tags=args.site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})

    def _metric(self, name: str, metric: str, threshold: float) -> None:
        monitor.MetricAlert(
            name,
            rule_name=self._args.names.alert(name),
            resource_group_name=self._args.site.group,
            location="global",
            description=what_to_do(name),
            enabled=True,
            severity=WARNING,
            scopes=[self._args.cluster],
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
            actions=[monitor.MetricAlertActionArgs(action_group_id=self._args.operators)],
            tags=self._args.site.tags,
            opts=ResourceOptions(parent=self),
        )

    def _query(self, name: str, alert: Alert) -> None:
        monitor.ScheduledQueryRule(
            name,
            rule_name=self._args.names.alert(name),
            resource_group_name=self._args.site.group,
            location=self._args.site.location,
            description=what_to_do(name),
            enabled=True,
            severity=WARNING,
            scopes=[self._args.logs],
            evaluation_frequency=EVERY,
            window_size=alert.window,
            skip_query_validation=True,  # the tables are created with their first rows
            criteria=monitor.ScheduledQueryRuleCriteriaArgs(
                all_of=[
                    monitor.ConditionArgs(
                        query=whole(alert.query, self._args.namespace),
                        time_aggregation=monitor.TimeAggregation.COUNT,
                        operator=MORE,
                        threshold=0,
                    )
                ]
            ),
            actions=monitor.ActionsArgs(action_groups=[self._args.operators]),
            tags=self._args.site.tags,
            opts=ResourceOptions(parent=self),
        )


def what_to_do(alert: str) -> str:
    """Text for the alert's mail."""
    return f"What to do: docs/runbooks/{RUNBOOKS[alert]}.md"
