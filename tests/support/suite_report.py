"""What a run of the suite really used, printed at its end: a test that ran on a replacement shows as little as one that
was skipped. At its start, what this machine can't test."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import ran
from tests.support.azure_files import azure_is_there
from tests.support.skips import VARIABLE, reason_of
from tools import azurite, browser, control_plane, kusto
from tools.toolchain import PulumiMissingError, pulumi_command
from training.runtime import JavaMissingError, java_home

MARKERS = {"engine": ran.ENGINE, "spark": ran.SPARK}


def has_kernel() -> bool:
    """Whether tests of the service run its kernel in C, and not the code that replaces it."""
    from scoring.native import KERNEL  # noqa: PLC0415 - imports NumPy, which not every test process needs

    return KERNEL is not None


def lacking() -> list[str]:
    """What this machine lacks, and so what is not tested here."""
    found = {
        "the service's page in a browser: there is no Chromium": browser.command() is None,
        "storage on Azure: `python -m tools.azurite` installs Azurite": azurite.command() is None,
        "the queries of alerts: `python -m tools.kusto` installs their parser": not kusto.installed(),
        "pods: `python -m tools.control_plane` builds a Kubernetes control plane": bool(control_plane.missing()),
        "whole stacks: `make setup` gets Pulumi's engine": not _finds(pulumi_command, PulumiMissingError),
        "what calls Azure: `make test-tools` gets its packages": not azure_is_there(),
        "training on Spark: `make spark` gets Java": not _finds(java_home, JavaMissingError),
        "the kernel in C, NumPy takes its place: install gcc, then `make setup`": not has_kernel(),
    }
    return [what for what, is_missing in found.items() if is_missing]


def _finds(find: Callable[[], object], missing: type[Exception]) -> bool:
    try:
        find()
    except missing:
        return False
    return True


class Ran:
    """Prints both in the process that the others report to."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="ran-")
        os.environ[ran.VARIABLE] = self._folder
        self._skips: Counter[str] = Counter()

    def pytest_report_header(self) -> list[str]:
        """What is not tested on this machine."""
        return [f"not tested here: {what}" for what in lacking()]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the skips by their reason."""
        self._count(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count the skips of whole files."""
        self._count(report)

    def _count(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if (reason := reason_of(report)) is not None:
            self._skips[reason] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What ran, how often, and what was skipped."""
        terminalreporter.section(f"what ran (environment {os.environ.get(VARIABLE) or 'any: skips are allowed'})")
        for what in ran.USED:
            file = Path(self._folder, what)
            times = file.stat().st_size if file.exists() else 0
            terminalreporter.write_line(f"{what}: {f'{times} times' if times else 'not used'}")
        terminalreporter.write_line(f"kernel: {'in C' if has_kernel() else 'NumPy, there is none in C'}")
        for reason, count in self._skips.most_common():
            terminalreporter.write_line(f"skipped {count}: {reason}")

    def pytest_unconfigure(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def register(config: Any) -> None:
    """Count and print from now on, unless this is one of the processes that tests are distributed to."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Ran(), "what-ran")


def count(item: pytest.Item) -> None:
    """Count what a test's markers say that it uses."""
    for marker, what in MARKERS.items():
        if item.get_closest_marker(marker):
            ran.note(what)
