"""Each runbook has commands, and names existing files and tests."""

import re
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.monitoring.queries import ALERTS
from steps.shared.api_key import ApiKey
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import BASE
from tests.support.commands import commands_in_blocks
from tools.paths import ROOT

FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")
STATE_FILES = {"passphrase", "example.json", "overrides.yaml", "registry", "registry/mlflow.db", "registry/bundles/"}
"""Files of a stack's folder, by their names in the code."""


def words(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_runbook_has_commands() -> None:
    assert len(PAGES) >= 4
    assert [page.name for page in PAGES if not any(commands_in_blocks(words(page)))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_names_the_tests_that_exercise_it(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", words(page)))
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert {name for name in named if f"def {name}(" not in code} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_names_files_as_the_code_does(page: Path) -> None:
    text = words(page)
    assert set(re.findall(r"\.personalize/local/([\w./]+?)(?=[`\s])", text)) <= STATE_FILES
    assert [name for name in re.findall(r"examples/[\w.]+", text) if not (ROOT / name).is_file()] == []


def test_every_runbook_is_in_the_list() -> None:
    assert set(re.findall(r"\(([\w-]+\.md)\)", words(FOLDER / "README.md"))) == {page.name for page in PAGES}


def test_every_alert_has_a_runbook_that_names_it() -> None:
    alerts = pytest.importorskip("infra.cloud.monitoring.alerts", reason="Azure's packages are an extra")
    assert set(alerts.METRICS) | set(ALERTS) | {"budget", "availability"} == set(alerts.RUNBOOKS)
    missing = {
        alert: page for alert, page in alerts.RUNBOOKS.items() if f"`{alert}`" not in words(FOLDER / f"{page}.md")
    }
    assert missing == {}


def test_two_rotations_end_a_leaked_key() -> None:
    step, context = ApiKey(), Recorder().context
    known: dict[str, Any] = {"current": "leaked", "previous": "", "rotation": 1}
    for rotation in (2, 3):
        inputs = step.parse({**BASE, "registry": "ctr", "rotation": rotation})
        known = {**step.update("key", known, inputs, context).model_dump(), "rotation": rotation}
    assert "leaked" not in known.values()
    assert known["current"] != known["previous"]
