"""Compares what the documentation shows with what its commands print."""

import os
import shutil
import warnings
from pathlib import Path

from tests.docs.session import Reader, sessions
from tests.docs.shapes import agree, exact, loose

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
