"""Each test that is left out of `make test` runs somewhere: by rotation, or in a workflow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import rotation
from tests.rotation import ELSEWHERE, NO_TIME, PARTS, Bounded, Part
from tools.paths import ROOT

MARK = "pytest.mark.full"
THREE = "def test_0(): ...\ndef test_1(): ...\ndef test_2(): ...\n"


def test_every_file_with_a_full_test_has_its_turn_or_a_reason() -> None:
    marked = {
        str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py") if MARK in path.read_text("utf-8")
    } - {str(Path(__file__).relative_to(ROOT))}
    in_turn = {file for part in PARTS for file in part.files}
    assert in_turn | ELSEWHERE.keys() == marked
    assert not in_turn & ELSEWHERE.keys()


def test_the_shares_of_a_divided_file_are_all_of_it() -> None:
    for file in {file for part in PARTS for file in part.files}:
        having = [part for part in PARTS if file in part.files]
        assert sorted(part.first for part in having) == list(range(having[0].of))
        assert {part.of for part in having} == {len(having)}


@pytest.mark.parametrize(("first", "ran"), [(0, "2 passed, 1 deselected"), (1, "1 passed, 2 deselected")])
def test_a_part_runs_its_share(tmp_path: Path, first: int, ran: str) -> None:
    assert ran in _run(tmp_path, f"Bounded(Part(name='', files=(), first={first}, of=2), begin=3600, end=3600)")


def test_a_test_that_would_begin_too_late_is_skipped_with_its_reason(tmp_path: Path) -> None:
    said = _run(tmp_path, "Bounded(Part(name='', files=()), begin=-1, end=3600)")
    assert "3 skipped" in said
    assert NO_TIME in said


def test_a_time_limit_is_no_failure_and_any_other_error_is(tmp_path: Path) -> None:
    bodies = [
        "raise TimeoutError",
        "import subprocess; subprocess.run(['sleep', '60'], timeout=0.1)",
        "import time; time.sleep(60)",
        "assert False",
    ]
    tests = [f"@pytest.mark.timeout(5)\ndef test_{number}(): {body}\n" for number, body in enumerate(bodies)]
    said = _run(
        tmp_path, "Bounded(Part(name='', files=()), begin=3600, end=3600)", "".join(["import pytest\n", *tests])
    )
    assert "1 failed, 3 skipped" in said
    assert said.count(NO_TIME) == 3


SLOW = """
import time
import pytest
from tests import rotation

@pytest.fixture
def place():
    yield
    rotation.time.now += 60
    assert False, "half of it is there"

def test_first(): rotation.time.now += 3595
def test_that_takes_long(place): time.sleep(60)
def test_last(): ...
"""


def test_a_test_that_would_go_on_after_the_end_is_ended_and_neither_it_nor_its_cleaning_up_fails(
    tmp_path: Path,
) -> None:
    said = _run(tmp_path, "Bounded(Part(name='', files=()), begin=3600, end=3600)", SLOW)
    assert "1 passed, 3 skipped" in said, said
    assert "Timeout (>" in said


def test_each_day_has_another_part(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[list[str], Part]] = []

    def main(arguments: list[str], plugins: list[Bounded]) -> int:
        given.append((arguments, plugins[0].part))
        return 0

    monkeypatch.setattr(pytest, "main", main)
    for day in range(len(PARTS)):
        monkeypatch.setenv("ROTATION", str(day + 5 * len(PARTS)))
        assert rotation.main() == 0
    assert [part for _, part in given] == list(PARTS)
    assert all(set(part.files) <= set(arguments) for arguments, part in given)


def _run(folder: Path, plugin: str, tests: str = THREE) -> str:
    (folder / "test_some.py").write_text(tests)
    code = f"""
import pytest
from tests import rotation
from tests.rotation import Bounded, Part
from tests.support.clock import Clock
rotation.time = Clock()
options = ["-rs", "-p", "pytest_timeout", "-p", "no:cacheprovider", "--rootdir={folder}"]
pytest.main([*options, "{folder}"], plugins=[{plugin}])
"""
    own = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # importing other plugins takes longer than the tests
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=own, capture_output=True, text=True, check=True
    ).stdout
