"""Brings Microsoft's own parser of KQL, the language of Log Analytics: `python -m tools.kusto`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from tools.npm import folder, install, node
from tools.paths import ROOT
from tools.setup.console import exit_status

NAME = "kusto"
CHECK_SECONDS = 60


def installed() -> bool:
    """Whether the parser and Node are there."""
    return node() is not None and folder(NAME).exists()


def mistakes(queries: Mapping[str, str], tables: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong with each query, by its name; those with nothing wrong are left out.

    `tables` are the columns with their types, `a: string, b: datetime`, of each table by its name. A field of a column
    of type `dynamic` can have any name.
    """
    checked = subprocess.run(  # noqa: S603 - this project's own script
        [node() or "node", str(ROOT / "tools" / NAME / "check.js")],
        env={**os.environ, "NODE_PATH": str(folder(NAME) / "node_modules")},
        input=json.dumps({"queries": dict(queries), "tables": dict(tables)}),
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(checked.stdout)
    return found


if __name__ == "__main__":
    sys.exit(exit_status(lambda: install(NAME, "Installing the parser of KQL (30 MB, this once)")))
