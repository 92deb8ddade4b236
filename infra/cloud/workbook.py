"""The workbook in Azure's format: first what users notice, then the model, the nodes and their cost."""

from collections.abc import Sequence
from typing import Any

from pulumi import Input

from infra.cloud.queries import CHARTS, Chart, whole

LOGS = "microsoft.operationalinsights/workspaces"
CLUSTER = "microsoft.containerservice/managedclusters"
NODES = {
    "Saturation: CPU of the nodes in percent": "node_cpu_usage_percentage",
    "Saturation: memory of the nodes in percent": "node_memory_working_set_percentage",
}
AVERAGE = 4
LINE_CHART = 2
TIME = "TimeRange"
HOUR_MILLISECONDS = 3_600_000
CHOICES = (1, 4, 24, 7 * 24, 30 * 24)
"""Time ranges to choose from, in hours."""
WITHOUT_LOGS = (
    "The service's own figures are missing: this stack does not collect the pods' logs "
    "(`azure.container_insights` in its stack file)."
)
BILL = (
    "The bill itself is in the portal under Cost Management, for the groups {groups}; `personalize estimate` computes "
    "what the settings should cost, and the budget's mails say when it is more."
)


def workbook(
    *, stack: str, cluster: Input[str], logs: Input[str], namespace: str, groups: Sequence[str], of_service: bool
) -> dict[str, Any]:
    """The workbook's content, for resources by ID; `of_service` is whether the pods' logs are collected."""
    charts = [chart for chart in CHARTS if of_service or not chart.of_service]
    items = [
        _text("heading", f"# Personalization, stack {stack}"),
        _time(),
        *([] if of_service else [_text("without-logs", WITHOUT_LOGS)]),
        *(_chart(chart, namespace) for chart in charts),
        *(_metric(title, metric, cluster) for title, metric in NODES.items()),
        _text("bill", BILL.format(groups=", ".join(f"`{group}`" for group in groups))),
    ]
    return {"version": "Notebook/1.0", "items": items, "fallbackResourceIds": [logs]}


def _text(name: str, markdown: str) -> dict[str, Any]:
    return {"type": 1, "name": name, "content": {"json": markdown}}


def _time() -> dict[str, Any]:
    """The parameter for the time range."""
    choices = [{"durationMs": hours * HOUR_MILLISECONDS} for hours in CHOICES]
    parameter = {
        "id": "5b1c8a4e-0f1d-4d0c-9d55-4c3d7c4f2f10",
        "version": "KqlParameterItem/1.0",
        "name": TIME,
        "label": "Time",
        "type": 4,
        "isRequired": True,
        "value": {"durationMs": 24 * HOUR_MILLISECONDS},
        "typeSettings": {"selectableValues": choices},
    }
    content = {"version": "KqlParameterItem/1.0", "parameters": [parameter], "style": "pills", "queryType": 0}
    return {"type": 9, "name": "time", "content": {**content, "resourceType": LOGS}}


def _chart(chart: Chart, namespace: str) -> dict[str, Any]:
    content = {
        "version": "KqlItem/1.0",
        "title": chart.title,
        "query": whole(chart.query, namespace),
        "size": 0,
        "timeContextFromParameter": TIME,
        "queryType": 0,
        "resourceType": LOGS,
        "visualization": chart.look.value,
    }
    return {"type": 3, "name": chart.title, "content": content}


def _metric(title: str, metric: str, cluster: Input[str]) -> dict[str, Any]:
    content = {
        "version": "MetricsItem/2.0",
        "chartId": f"workbook-{metric}",
        "title": title,
        "size": 0,
        "chartType": LINE_CHART,
        "resourceType": CLUSTER,
        "metricScope": 0,
        "resourceIds": [cluster],
        "timeContextFromParameter": TIME,
        "metrics": [{"namespace": CLUSTER, "metric": f"{CLUSTER}-Nodes (PREVIEW)-{metric}", "aggregation": AVERAGE}],
    }
    return {"type": 10, "name": title, "content": content}
