"""Green means run: in an environment of CI a skipped test fails, unless `tests/allowed_skips.yaml` lists its reason.

`PERSONALIZATION_ENVIRONMENT` names the environment. Without it, skips stay skips.
"""

import os
from collections.abc import Generator
from functools import cache
from typing import Any

import pytest
import yaml

from tools.paths import ROOT

VARIABLE = "PERSONALIZATION_ENVIRONMENT"
FILE = ROOT / "tests" / "allowed_skips.yaml"
MARK = "Skipped: "
"""What pytest writes before a skip's reason."""


@cache
def environments() -> dict[str, tuple[str, ...]]:
    """The reasons of the skips that each environment allows, as they begin."""
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {name: tuple(one["reason"] for one in listed) for name, listed in content.items()}


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """The reason of a skip; None for any other outcome. A test that fails as expected (`xfail`) is no skip."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    where = report.longrepr
    said = str(where[2] if isinstance(where, tuple) else where)
    return said.removeprefix(MARK)


class Strict:
    """Turns the skips that an environment does not allow into failures, of tests and of whole files."""

    def __init__(self, environment: str) -> None:
        if environment not in environments():
            raise pytest.UsageError(
                f"{VARIABLE} is {environment!r}, and {FILE.relative_to(ROOT)} has {', '.join(environments())}."
            )
        self._environment = environment

    def judge(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Change the report of a skip that is not allowed."""
        reason = reason_of(report)
        if reason is None or reason.startswith(environments()[self._environment]):
            return
        report.outcome = "failed"
        report.longrepr = (
            f"Skipped, which environment `{self._environment}` does not allow: {reason}\nInstall what the test needs, "
            f"or list the reason in {FILE.relative_to(ROOT)} with why it can't be there."
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge a test's skip."""
        report = yield
        self.judge(report)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Judge the skip of a whole file."""
        report = yield
        self.judge(report)
        return report


def register(config: Any) -> None:
    """Judge skips from now on, if an environment is named."""
    if environment := os.environ.get(VARIABLE):
        config.pluginmanager.register(Strict(environment), "strict-skips")
