"""The KQL of alerts and pages passes Microsoft's own parser; the service's tests check the log fields it reads."""

import json
import os
import subprocess

import pytest

from infra.cloud.queries import ALERTS, SLOW_SECONDS, SLOWEST_SECONDS, whole
from infra.workload.names import NAMESPACE
from scoring.worker.metrics import BUCKETS
from tests.support.page_blocks import queries_in_docs
from tools import npm
from tools.paths import ROOT

TABLES = {
    "ContainerLogV2": "TimeGenerated: datetime, Computer: string, ContainerId: string, ContainerName: string, "
    "PodName: string, PodNamespace: string, LogMessage: dynamic, LogSource: string, LogLevel: string",
    "DatabricksJobs": "TimeGenerated: datetime, ActionName: string, RequestParams: string, Response: string",
    "Usage": "TimeGenerated: datetime, DataType: string, Quantity: real, IsBillable: bool",
}
"""The columns that the queries read, from Azure Monitor's reference; the real tables have more."""
WHOLE = {name: whole(alert.query, NAMESPACE) for name, alert in ALERTS.items()}

MODULES = npm.folder("kusto") / "node_modules"


@pytest.mark.skipif(not (npm.node() and MODULES.exists()), reason="needs `python -m tools.npm kusto`")
def test_every_query_is_right() -> None:
    checked = subprocess.run(
        [str(npm.node()), ROOT / "tools" / "kusto" / "check.js"],
        env={**os.environ, "NODE_PATH": str(MODULES)},
        input=json.dumps({"queries": WHOLE | queries_in_docs(), "tables": TABLES}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(checked.stdout) == {}, "the parser's errors for each query"


def test_only_what_needs_the_pods_logs_asks_for_them() -> None:
    of_service = {name for name, alert in ALERTS.items() if alert.of_service}
    assert of_service == {name for name, query in WHOLE.items() if "ContainerLogV2" in query}
    assert all("{namespace}" not in query for query in WHOLE.values())


def test_a_page_s_query_reads_the_service_s_own_lines() -> None:
    read = "".join(queries_in_docs().values())
    assert 0 < read.count("ContainerLogV2") == read.count(f"PodNamespace == '{NAMESPACE}'")


def test_a_latency_is_one_that_the_service_tells_apart() -> None:
    assert SLOW_SECONDS in BUCKETS
    assert max(BUCKETS) < SLOWEST_SECONDS
