"""Each alert has a runbook."""

import pytest

from infra.cloud.monitoring.queries import ALERTS
from tools.paths import ROOT

FOLDER = ROOT / "docs" / "runbooks"


def test_every_alert_has_a_runbook_that_names_it() -> None:
    alerts = pytest.importorskip("infra.cloud.monitoring.alerts", reason="Azure's packages are an extra")
    assert set(alerts.METRICS) | set(ALERTS) | {"budget", "availability"} == set(alerts.RUNBOOKS)
    texts = {page: (FOLDER / f"{page}.md").read_text(encoding="utf-8") for page in alerts.RUNBOOKS.values()}
    missing = {alert: page for alert, page in alerts.RUNBOOKS.items() if f"`{alert}`" not in texts[page]}
    assert missing == {}
