"""Counts what a run of the suite really uses. `tests.support.suite_report` prints it at the end.

The processes of a run count in files of one folder: tests are distributed over processes, which also start others.
"""

import os
from pathlib import Path

VARIABLE = "PERSONALIZATION_RAN"
CHROMIUM, AZURITE, KUSTO, CONTROL_PLANE = "Chromium", "Azurite", "Kusto's parser", "Kubernetes control plane"
ENGINE, SPARK = "Pulumi's engine", "Spark"
USED = (CHROMIUM, AZURITE, KUSTO, CONTROL_PLANE, ENGINE, SPARK)


def note(what: str) -> None:
    """Count one use of `what`, a name of `USED`, in this run."""
    if folder := os.environ.get(VARIABLE):
        with Path(folder, what).open("a", encoding="utf-8") as file:
            file.write(".")
