"""The KQL queries of the alerts. Imports no SDK.

The service's own metrics are the `summary` lines of its log (`scoring/worker/metrics.py`), which Container insights
collects.
"""

from dataclasses import dataclass

from features.reference import MAJOR_SHIFT

MIN_REQUESTS = 100
"""With fewer in a window, a share of failures means nothing."""
FAILED_SHARE = 0.01
SLOW_SECONDS = 0.1
"""A bucket bound of the service's latency histogram."""
SLOWEST_SECONDS = 10
"""Replaces the histogram's last bound, infinity: the service rejects requests that wait this long."""
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
    "certificate-expiry": Alert(
        query=f"""summaries
| summarize arg_max(TimeGenerated, line) by PodName
| where unixtime_seconds_todatetime(tolong(line.certificate_end)) < now() + {CERTIFICATE_DAYS}d
"""
    ),
}
"""By name; the runbooks have the same names."""


def whole(query: str, namespace: str) -> str:
    """The complete query for the service in a Kubernetes namespace."""
    return LINES.replace("{namespace}", namespace) + query if "line" in query else query
