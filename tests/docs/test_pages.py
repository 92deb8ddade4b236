"""Every command of the README, the tutorial, the how-tos and the runbooks runs and prints what its page shows."""

import os
import shutil
import warnings
from pathlib import Path

import pytest

from tests.docs.session import Reader, sessions
from tests.docs.shapes import agree, exact, loose

pytestmark = [pytest.mark.engine, pytest.mark.spark, pytest.mark.timeout(1800)]
CORES = 2
"""Cores of the machine whose figures the pages show: Spark divides the rows by the number of cores."""


def differences(session: str, folder: Path) -> list[str]:
    """Run a session's pages in `folder`; returns every command whose output differs from its page.

    Raises `CommandFailedError` at the first command that fails.
    """
    shape = exact
    if os.cpu_count() != CORES:
        shape = loose
        warnings.warn(f"figures are compared on {CORES} cores only", stacklevel=1)
    reader = Reader(folder / "personalization")
    try:
        return [
            "\n".join([f"{block.place}: {typed.command.text}", "prints", *typed.printed, ""])
            for block in sessions()[session]
            for typed in reader.follow(block)
            if block.language == "console" and not agree(typed.command.shown, typed.printed, shape)
        ]
    finally:
        reader.leave()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    "session",
    [
        "the-readme",
        *(
            pytest.param(name, marks=pytest.mark.full)
            for name in ("the-tutorial", "a-shops-orders", "a-stack-on-own-data")
        ),
    ],
)
def test_every_command_runs_and_prints_what_the_page_shows(session: str, tmp_path: Path) -> None:
    found = differences(session, tmp_path)
    assert not found, "\n".join([*found, "`make docs-outputs` writes what is printed into the pages"])
