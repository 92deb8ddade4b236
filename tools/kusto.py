"""`python -m tools.kusto`: installs Microsoft's parser of KQL, the query language of Log Analytics."""

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
    """Whether the parser and Node are installed."""
    return node() is not None and folder(NAME).exists()


def mistakes(queries: Mapping[str, str], tables: Mapping[str, str]) -> dict[str, list[str]]:
    """The parser's errors for each query, by its name; queries without errors are left out.

    `tables` has the columns of each table with their types, such as `a: string, b: datetime`. A field of a column of
    type `dynamic` can have any name.
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
