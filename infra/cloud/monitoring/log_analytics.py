"""Log Analytics with a daily cap, Application Insights, and the action group for alerts."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import applicationinsights, monitor, operationalinsights

from infra.cloud.names import Names
from infra.cloud.site import Site


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Location, names, daily cap, retention and mail address."""

    site: Site
    names: Names
    cap_gb: float
    """GB per day."""
    retention_days: int
    mail: str
    given: str | None
    """The ID of an existing workspace, which has its own cap and retention."""


class Monitoring(pulumi.ComponentResource):
    """The workspace `logs`, Application Insights on it, and the action group `operators`."""

    def __init__(self, name: str, args: MonitoringArgs, opts: ResourceOptions | None = None) -> None:
        """Create them, except a workspace that is given."""
        super().__init__("personalization:azure:Monitoring", name, None, opts)
        self.logs = args.given or self._workspace(args).id
        """The ID of the workspace."""
        self.insights = self._application_insights(args)
        self.operators = self._action_group(args)
        self.register_outputs({"logs": self.logs, "insights": self.insights.id, "operators": self.operators.id})

    def _workspace(self, args: MonitoringArgs) -> operationalinsights.Workspace:
        return operationalinsights.Workspace(
            "logs",
            workspace_name=args.names.logs,
            resource_group_name=args.site.group,
            location=args.site.location,
            sku=operationalinsights.WorkspaceSkuArgs(name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
            retention_in_days=args.retention_days,
            workspace_capping=operationalinsights.WorkspaceCappingArgs(daily_quota_gb=args.cap_gb),
            tags=args.site.tags,
            opts=ResourceOptions(parent=self),
        )

    def _application_insights(self, args: MonitoringArgs) -> applicationinsights.Component:
        return applicationinsights.Component(
            "insights",
            resource_name_=args.names.insights,
            resource_group_name=args.site.group,
            location=args.site.location,
            kind="web",
            application_type=applicationinsights.ApplicationType.WEB,
            ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
            workspace_resource_id=self.logs,
            disable_local_auth=True,
            tags=args.site.tags,
            opts=ResourceOptions(parent=self),
        )

    def _action_group(self, args: MonitoringArgs) -> monitor.ActionGroup:
        return monitor.ActionGroup(
            "operators",
            action_group_name=args.names.action_group,
            resource_group_name=args.site.group,
            location="global",
            group_short_name="operators",
            enabled=True,
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(
                    name="operators", email_address=args.mail, use_common_alert_schema=True
                )
            ],
            tags=args.site.tags,
            opts=ResourceOptions(parent=self),
        )


@dataclass(frozen=True, kw_only=True)
class DiagnosticsArgs:
    """A resource and the workspace for its logs: all of them, unless `categories` selects some."""

    resource: Input[str]
    """The resource's ID; for a storage account that of its Blob service, which has the logs."""
    workspace: Input[str]
    categories: Sequence[str] = ()
    metrics: str | None = "AllMetrics"
    """The category of its metrics, None for a resource without any."""


def send_logs(name: str, args: DiagnosticsArgs, opts: ResourceOptions) -> monitor.DiagnosticSetting:
    """Send a resource's logs to Log Analytics, and its metrics if it has any."""
    metrics = [monitor.DiagnosticsMetricSettingsArgs(category=args.metrics, enabled=True)] if args.metrics else []
    logs = [monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True) for category in args.categories]
    everything = [monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)]
    return monitor.DiagnosticSetting(
        f"{name}-logs",
        name="to-log-analytics",
        resource_uri=args.resource,
        workspace_id=args.workspace,
        logs=logs or everything,
        metrics=metrics,
        opts=opts,
    )
