"""Each alert has a runbook, and each runbook has commands."""

from pathlib import Path

import pytest

from infra.cloud.monitoring.queries import ALERTS
from tests.support.commands import commands_in_blocks
from tools.paths import ROOT

FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")


def words(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_runbook_has_commands() -> None:
    assert [page.name for page in PAGES if not any(commands_in_blocks(words(page)))] == []


def test_every_alert_has_a_runbook_that_names_it() -> None:
    alerts = pytest.importorskip("infra.cloud.monitoring.alerts", reason="Azure's packages are an extra")
    assert set(alerts.METRICS) | set(ALERTS) | {"budget", "availability"} == set(alerts.RUNBOOKS)
    missing = {
        alert: page for alert, page in alerts.RUNBOOKS.items() if f"`{alert}`" not in words(FOLDER / f"{page}.md")
    }
    assert missing == {}
