"""Every command of the how-tos and the runbooks runs on a stack with own data and prints what the page shows."""

from pathlib import Path

import pytest

from tests.docs.comparison import differences

pytestmark = [pytest.mark.full, pytest.mark.engine, pytest.mark.spark, pytest.mark.timeout(1800)]


def test_how_tos_and_runbooks_run_and_show_what_is_printed(tmp_path: Path) -> None:
    found = differences("a-stack-on-own-data", tmp_path)
    assert not found, "\n".join([*found, "`make docs-outputs` writes what is printed into the pages"])
