"""A mutant's result is that of a real pytest, and the copy is restored whatever it was."""

import os
import shutil
from pathlib import Path

import pytest

from tests.mutants import workshop
from tests.mutants.mutant import Fate, Mutant
from tests.mutants.workshop import SECONDS, Workshop

PROGRAM = "def double(number):\n    return 2 * number\n"
TESTS = """
from program import double

def test_of_two():
    assert double(2) == 4

def test_that_always_fails():
    assert double(1) == 7
"""
LONG_AGO = 1_000_000_000
"""Python takes a file of the same size and second for the one that it has compiled."""


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a workshop's copy, of a program that has one module and one file of tests."""
    tree = tmp_path / "tree"
    for name, content in {"program/__init__.py": PROGRAM, "test_program.py": TESTS}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content)
        os.utime(tree / name, (LONG_AGO, LONG_AGO))
    monkeypatch.setattr(workshop, "copy_working_tree", lambda folder: shutil.copytree(tree, folder))
    monkeypatch.setattr(workshop, "PACKAGES", ("program",))
    return tmp_path / "copy"


@pytest.mark.parametrize(
    ("before", "after", "test", "fate"),
    [
        pytest.param("2 * number", "number * number", "test_of_two", Fate.SURVIVED, id="survives"),
        pytest.param("2 * number", "3 * number", "test_of_two", Fate.KILLED, id="is noticed"),
        pytest.param("2 * number", "2 * nobody", "test_that_always_fails", Fate.UNTESTED, id="fails without it"),
        pytest.param("4 * number", "3 * number", "test_of_two", Fate.NOT_APPLICABLE, id="is elsewhere"),
    ],
)
def test_a_fault_counts_as_noticed_if_a_test_fails_that_passes_without_it(
    copy: Path, before: str, after: str, test: str, fate: Fate
) -> None:
    passing: set[str] = set()
    name = f"test_program.py::{test}"
    mutant = Mutant(name="fault", file="program/__init__.py", before=before, after=after, tests=(name,))
    outcome = Workshop(copy, passing).test(mutant, seconds=SECONDS)
    assert outcome.fate is fate, outcome.said
    assert passing == ({name} if fate is Fate.KILLED else set())
    assert outcome.noticed == ((name,) if fate in {Fate.KILLED, Fate.UNTESTED} else ())
    assert (copy / mutant.file).read_text() == PROGRAM
    assert (copy / mutant.file).stat().st_mtime == LONG_AGO
