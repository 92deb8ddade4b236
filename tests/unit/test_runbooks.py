"""The runbooks: their commands are ones that exist, their files and tests too, and their settings are accepted."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from infra.cli.app import app
from infra.local.api_key import ApiKey
from infra.paths import ROOT
from infra.settings import load_settings
from tests.provider.conftest import Recorder
from tests.provider.steps import BASE

FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")
COMMANDS = [
    pytest.param(line, id=f"{page.stem}: {line[:40]}")
    for page in PAGES
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines()
]
STATE_FILES = {"passphrase", "overrides.yaml", "registry", "registry/mlflow.db", "registry/bundles/"}
"""Of a stack's folder, as the code names them."""


def parse(line: str) -> None:
    """Parse one command of ours without running it, or find another program on this machine."""
    program, *arguments = shlex.split(line)
    if program != "personalize":
        assert shutil.which(program), f"{program} is on no machine like this"
        return
    group: Any = typer.main.get_command(app)
    with group.make_context("personalize", arguments, resilient_parsing=True) as context:
        command = group.get_command(context, arguments[0])
        assert command is not None, f"No such command: {arguments[0]}"
        command.make_context(command.name, arguments[1:], parent=context).close()


def words(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_there_are_commands_in_every_page():
    assert len(PAGES) >= 4
    assert {param.id.partition(":")[0] for param in COMMANDS if param.id} == {page.stem for page in PAGES}


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_a_runbook_exists(line: str):
    parse(line)


@pytest.mark.parametrize(
    "line", ["personalize roll-back 1", "personalize up --refesh", "personalize rollback", "personalise up"]
)
def test_a_command_that_does_not_exist_is_found(line: str):
    with pytest.raises(Exception, match=r"No such|Missing|on no machine"):
        parse(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_exercises_a_runbook_is_a_test(page: Path):
    named = set(re.findall(r"`(test_\w+)`", words(page)))
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert {name for name in named if f"def {name}(" not in code} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_and_settings_of_a_runbook_are_the_code_s(page: Path):
    text = words(page)
    assert set(re.findall(r"\.personalize/local/([\w./]+?)(?=[`\s])", text)) <= STATE_FILES
    assert [name for name in re.findall(r"examples/[\w.]+", text) if not (ROOT / name).is_file()] == []
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        load_settings(yaml.safe_load(block)["config"])


def test_every_runbook_is_in_the_list():
    assert set(re.findall(r"\(([\w-]+\.md)\)", words(FOLDER / "README.md"))) == {page.name for page in PAGES}


def test_every_alert_has_a_runbook_that_names_it():
    alerts = pytest.importorskip("infra.cloud.alerts", reason="Azure's packages are an extra")
    assert set(alerts.METRICS) | {"failed-training", "service-errors", "budget"} == set(alerts.RUNBOOKS)
    missing = {
        alert: page for alert, page in alerts.RUNBOOKS.items() if f"`{alert}`" not in words(FOLDER / f"{page}.md")
    }
    assert missing == {}


def test_two_rotations_end_a_leaked_key():
    step, context = ApiKey(), Recorder().context
    known: dict[str, Any] = {"current": "leaked", "previous": "", "rotation": 1}
    for rotation in (2, 3):
        inputs = step.parse({**BASE, "registry": "ctr", "rotation": rotation})
        known = {**step.update("key", known, inputs, context), "rotation": rotation}
    assert "leaked" not in known.values()
    assert known["current"] != known["previous"]
