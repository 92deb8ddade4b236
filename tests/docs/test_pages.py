"""Every command of the README, the tutorial, the how-tos and the runbooks runs and prints what its page shows."""

from pathlib import Path

import pytest

from tests.docs.comparison import differences

pytestmark = [pytest.mark.engine, pytest.mark.spark, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    "session",
    ["the-readme", *(pytest.param(name, marks=pytest.mark.full) for name in ("the-tutorial", "a-stack-on-own-data"))],
)
def test_every_command_runs_and_prints_what_the_page_shows(session: str, tmp_path: Path) -> None:
    found = differences(session, tmp_path)
    assert not found, "\n".join([*found, "`make docs-outputs` writes what is printed into the pages"])
