"""Every command of the README and the tutorial runs and prints what the page shows."""

from pathlib import Path

import pytest

from tests.docs.comparison import differences

pytestmark = [pytest.mark.engine, pytest.mark.spark, pytest.mark.timeout(1800)]


def test_the_readme_and_the_tutorial_run_and_show_what_is_printed(tmp_path: Path) -> None:
    found = differences("a-first-stack", tmp_path)
    assert not found, "\n".join([*found, "`make docs-outputs` writes what is printed into the pages"])
