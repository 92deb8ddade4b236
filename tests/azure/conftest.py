"""A stack's life on a real subscription, by the product's own commands: docs/first-deployment.md.

A stage that fails ends the run and leaves the stack up, so that the stage can be run again by itself.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from features.errors import PersonalizationError
from tools.paths import ROOT

if TYPE_CHECKING:
    # Every run of pytest imports this file, also where Azure's packages are missing.
    from infra.azure_settings import AzureSettings
    from tests.azure.answers import Answers

OWN = "trial"
"""The stack that these tests create and delete. Its settings are those of stack `dev`, under another name."""
STACK = os.environ.get("STACK") or OWN
"""`STACK=dev` runs single stages against a stack that is up; only the tests' own is paused and deleted."""
FOLDER = ROOT / "dist" / "azure"
ANSWERS = FOLDER / f"answers-{STACK}.json"
LAST_LINES = 30
LEFT = f"""
Stack {STACK} is left as it is. Once the cause is removed, `pytest -m azure` goes on from there, and with `-k STAGE` it
runs one stage. This deletes the stack with all its data:

    .venv/bin/personalize destroy --stack {STACK} --yes --delete-data
"""
Personalize = Callable[..., dict[str, Any]]
"""Runs a command on the stack and returns its JSON; another exit code than one of `codes` fails."""


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Run nothing here unless `-m azure` was given: it costs money."""
    return None if config.option.markexpr == "azure" else True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """End the run after a failure."""
    report = yield
    if report.failed:
        item.session.shouldstop = f"{item.name} failed"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print where the answers are, and after a failure how the stack is deleted."""
    if ANSWERS.is_file():
        terminalreporter.write_line(f"Azure's answers are in {ANSWERS}, without IDs. Please send it back.")
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(LEFT)


@pytest.fixture(scope="session")
def settings() -> "AzureSettings":
    """The settings before the stack is deleted, which renews the suffix."""
    from personalize.stack.on_azure import require_azure  # noqa: PLC0415 - see the top

    file = ROOT / f"Pulumi.{STACK}.yaml"
    source = "dev" if STACK == OWN and not file.exists() else STACK
    try:
        found = require_azure(source)
    except PersonalizationError as error:
        pytest.skip(str(error))
    if not found.subscription.strip("0-"):
        pytest.skip(f"Pulumi.{source}.yaml names no subscription")
    if source != STACK:
        shutil.copyfile(ROOT / f"Pulumi.{source}.yaml", file)
    return require_azure(STACK)


@pytest.fixture
def own() -> None:
    """Skip what must not happen to a stack that others use."""
    if STACK != OWN:
        pytest.skip(f"stack {STACK} is not the tests' own")


@pytest.fixture(scope="session")
def answers(settings: "AzureSettings") -> "Answers":
    """Azure's answers, in one file."""
    from tests.azure.answers import Answers  # noqa: PLC0415 - see the top

    return Answers(ANSWERS, STACK, settings)


@pytest.fixture(scope="session")
def personalize(answers: "Answers") -> Personalize:
    """A command's messages are appended to a file of its name beside the answers; how long steps waited is recorded."""
    FOLDER.mkdir(parents=True, exist_ok=True)

    def run(name: str, *options: str, codes: tuple[int, ...] = (0,), **environment: str) -> dict[str, Any]:
        log = FOLDER / f"{name}.log"
        begin = log.stat().st_size if log.is_file() else 0
        with log.open("ab") as stream:
            done = subprocess.run(
                [Path(sys.executable).with_name("personalize"), name, "--stack", STACK, "--json", *options],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=stream,
                check=False,
            )
        said = log.read_bytes()[begin:].decode(errors="replace").splitlines()
        answers.note_waits(said)
        last = "\n".join(said[-LAST_LINES:])
        assert done.returncode in codes, f"`personalize {name}` ended with {done.returncode}; {log} ends with:\n{last}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run
