"""The KQL queries of alerts and workbook. Imports no SDK.

The service's own metrics are the `summary` lines of its log (`scoring/worker/metrics.py`), which Container insights
collects.
"""

from dataclasses import dataclass
from enum import StrEnum

from features.reference import MAJOR_SHIFT

MIN_REQUESTS = 100
"""With fewer in a window, a share of failures means nothing."""
FAILED_SHARE = 0.01
SLOW_SECONDS = 0.1
"""A bucket bound of the service's latency histogram."""
SLOWEST_SECONDS = 10
"""Replaces the histogram's last bound, infinity: the service rejects requests that wait this long."""
UNKNOWN_SHARE = 0.5
"""More users without histories than this are not new ones: their histories or their keys are wrong."""
BUSY_REQUESTS = 1_000
"""Per day: if a service with this many gets none, there is an alert."""
CERTIFICATE_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A query that returns rows if something is wrong, and its time window."""

    query: str
    window: str = "PT15M"
    of_service: bool = True
    """Whether it needs the pods' logs."""
    of_recommendations: bool = False
    """Whether only a service that recommends needs it."""


class Look(StrEnum):
    """How a workbook shows a query's result; Azure's values."""

    TIME = "timechart"
    BARS = "barchart"
    TABLE = "table"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart of the workbook."""

    title: str
    query: str
    look: Look = Look.TIME
    of_service: bool = True
    """Whether it needs the pods' logs."""


LINES = """let lines = ContainerLogV2
| where PodNamespace == '{namespace}'
| extend line = parse_json(tostring(LogMessage));
let summaries = lines
| where tostring(line.event) == 'summary';
"""
LATENCIES = f"""summaries
| mv-expand bucket = line.latency
| extend seconds = coalesce(todouble(bucket[0]), {SLOWEST_SECONDS}.0), requests = tolong(bucket[1])
"""
ERRORS = """lines
| where tostring(line.level) == 'error'
"""
FAILED_RUNS = """DatabricksJobs
| where ActionName == 'runFailed'
"""
BY_TIME = "by bin(TimeGenerated, 5m)"

ALERTS = {
    # Databricks' logs can arrive late: in a window of 15 minutes they would be missed.
    "failed-training": Alert(query=FAILED_RUNS, of_service=False, window="PT1H"),
    "service-errors": Alert(query=ERRORS),
    "error-rate": Alert(
        query=f"""summaries
| summarize requests = sum(tolong(line.requests)), failed = sum(tolong(line.failed))
| where requests >= {MIN_REQUESTS} and failed > {FAILED_SHARE} * requests
"""
    ),
    "latency": Alert(
        query=f"""{LATENCIES}| summarize p99 = percentilew(seconds, requests, 99), requests = sum(requests)
| where requests >= {MIN_REQUESTS} and p99 > {SLOW_SECONDS}
"""
    ),
    "no-traffic": Alert(
        query=f"""summaries
| extend requests = tolong(line.requests)
| summarize lately = sumif(requests, TimeGenerated > ago(30m)), before = sumif(requests, TimeGenerated <= ago(30m))
| where lately == 0 and before >= {BUSY_REQUESTS}
""",
        window="P1D",
    ),
    "drift": Alert(
        query=f"""summaries
| summarize least = min(todouble(line.prediction_psi)) by PodName
| where least > {MAJOR_SHIFT}
""",
        window="PT1H",
    ),
    "unknown-users": Alert(
        query=f"""summaries
| summarize recommended = sum(tolong(line.recommended)), unknown = sum(tolong(line.unknown_users))
| where recommended >= {MIN_REQUESTS} and unknown > {UNKNOWN_SHARE} * recommended
""",
        of_recommendations=True,
    ),
    "certificate-expiry": Alert(
        query=f"""summaries
| summarize arg_max(TimeGenerated, line) by PodName
| where unixtime_seconds_todatetime(tolong(line.certificate_end)) < now() + {CERTIFICATE_DAYS}d
"""
    ),
}
"""By name; the runbooks have the same names."""

CHARTS = [
    Chart(
        title="Requests a second",
        query=f"summaries\n| summarize requests = sum(tolong(line.requests)) / 300.0 {BY_TIME}\n",
    ),
    Chart(
        title="Requests that were not answered: rejected (the client's mistake), failed (the service's)",
        query=f"""summaries
| summarize rejected = sum(tolong(line.rejected)), failed = sum(tolong(line.failed)) {BY_TIME}
""",
    ),
    Chart(
        title="Latency in seconds: no more than this for 50, 95 and 99 of 100 requests",
        query=f"{LATENCIES}| summarize percentilesw(seconds, requests, 50, 95, 99) {BY_TIME}\n",
    ),
    Chart(
        title="Saturation: percent of a core that a worker used",
        query=f"""summaries
| summarize busy = 100.0 * sum(todouble(line.cpu_seconds)) / sum(todouble(line.seconds)) {BY_TIME}
""",
    ),
    Chart(
        title="Scored records by model version",
        query=f"summaries\n| summarize records = sum(tolong(line.records)) {BY_TIME}, tostring(line.version)\n",
    ),
    Chart(
        title="Predictions: share of the records up to each click probability, by model version",
        query="""summaries
| mv-expand bucket = line.probability
| summarize records = sum(tolong(bucket[1])) by bound = todouble(bucket[0]), version = tostring(line.version)
| as all
| join kind=inner (all | summarize total = sum(records) by version) on version
| project bound = tostring(bound), version, percent = 100.0 * records / total
| order by todouble(bound) asc
""",
        look=Look.BARS,
    ),
    Chart(
        title="Drift: stability index of the predictions and of the feature that moved most; "
        f"from {MAJOR_SHIFT} it is major",
        query=f"""summaries
| summarize predictions = max(todouble(line.prediction_psi)), features = max(todouble(line.feature_psi)) {BY_TIME}
""",
    ),
    Chart(
        title="Drift: how far each feature moved, of those that moved most",
        query="""summaries
| where isnotempty(tostring(line.moved_feature))
| summarize ['stability index'] = max(todouble(line.feature_psi)) by feature = tostring(line.moved_feature)
| order by ['stability index'] desc
""",
        look=Look.TABLE,
    ),
    Chart(
        title="Errors of the service",
        query=f"{ERRORS}| order by TimeGenerated desc\n| take 100\n",
        look=Look.TABLE,
    ),
    Chart(
        title="Training runs that failed",
        query=f"{FAILED_RUNS}| order by TimeGenerated desc\n| take 100\n",
        look=Look.TABLE,
        of_service=False,
    ),
    Chart(
        title="Cost: hours of nodes in a day, by pool",
        query="""KubeNodeInventory
| summarize by Computer, hour = bin(TimeGenerated, 1h)
| summarize hours = count() by bin(hour, 1d), pool = tostring(split(Computer, '-')[1])
""",
    ),
    Chart(
        title="Cost: GB of logs in a day, by table",
        query="""Usage
| where IsBillable == true
| summarize gigabytes = sum(Quantity) / 1000 by bin(TimeGenerated, 1d), DataType
""",
        of_service=False,
    ),
]
"""Ordered from what users notice to what it costs."""


def whole(query: str, namespace: str) -> str:
    """The complete query for the service in a Kubernetes namespace."""
    return LINES.replace("{namespace}", namespace) + query if "line" in query else query
