"""Which tests `make test-new` finds in a repository, and what a flaky one comes to."""

import subprocess
from pathlib import Path

import pytest

from tools.new_tests import ROUNDS, changed_tests, run_rounds

OLD = '''"""Tests."""

LIMIT = 3


def test_kept() -> None:
    assert LIMIT == 3


def test_changed() -> None:
    assert LIMIT > 1


class TestMore:
    def test_kept(self) -> None:
        assert LIMIT
'''
FLAKY = """from pathlib import Path


def test_flaky() -> None:
    counter = Path("counter")
    counter.write_text(counter.read_text() + "x" if counter.exists() else "x")
    assert counter.read_text() != "xxx"
"""
PLAIN = ("-q", "-p", "no:cacheprovider")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, `base`."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # of the rounds that are run there
    git(tmp_path, "init", "--quiet")
    write(tmp_path, "tests/unit/test_a.py", OLD)
    write(tmp_path, "tests/conftest.py", "")
    commit(tmp_path)
    git(tmp_path, "branch", "base")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Commit")


def test_without_a_change_there_is_nothing_to_run(repository: Path) -> None:
    assert changed_tests(repository, "base") == []


def test_a_test_whose_code_changed_is_found_alone(repository: Path) -> None:
    write(repository, "tests/unit/test_a.py", OLD.replace("LIMIT > 1", "LIMIT > 2"))
    commit(repository)
    assert changed_tests(repository, "base") == ["tests/unit/test_a.py::test_changed"]


def test_a_test_of_a_class_is_found_by_its_whole_name(repository: Path) -> None:
    write(repository, "tests/unit/test_a.py", OLD.replace("        assert LIMIT\n", "        assert LIMIT != 4\n"))
    assert changed_tests(repository, "base") == ["tests/unit/test_a.py::TestMore::test_kept"]


def test_what_the_tests_of_a_file_share_makes_all_of_them_changed(repository: Path) -> None:
    write(repository, "tests/unit/test_a.py", OLD.replace("LIMIT = 3", "LIMIT = 4"))
    names = ["test_kept", "test_changed", "TestMore::test_kept"]
    assert changed_tests(repository, "base") == [f"tests/unit/test_a.py::{name}" for name in names]


def test_comments_layout_and_imports_change_no_test(repository: Path) -> None:
    text = OLD.replace("LIMIT = 3", "import os\n\n\nLIMIT  =  3  # three").replace('"""Tests."""', '"""All tests."""')
    write(repository, "tests/unit/test_a.py", text)
    assert changed_tests(repository, "base") == []


def test_a_new_file_is_found_before_git_knows_it_and_afterwards(repository: Path) -> None:
    write(repository, "tests/infra/test_b.py", "def test_new() -> None:\n    assert True\n")
    wanted = ["tests/infra/test_b.py::test_new"]
    assert changed_tests(repository, "base") == wanted
    commit(repository)
    assert changed_tests(repository, "base") == wanted


def test_what_the_base_has_got_meanwhile_is_no_change(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "change")
    git(repository, "checkout", "--quiet", "base")
    write(repository, "tests/unit/test_a.py", OLD.replace("LIMIT > 1", "LIMIT > 2"))
    commit(repository)
    git(repository, "checkout", "--quiet", "change")
    assert changed_tests(repository, "base") == []


def test_a_base_that_is_no_commit_is_an_error(repository: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        changed_tests(repository, "nowhere")


@pytest.mark.slow
def test_a_test_that_fails_in_its_third_round_fails_the_build(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(repository, "tests/unit/test_flaky.py", FLAKY)
    tests = changed_tests(repository, "base")
    assert run_rounds(repository, tests, PLAIN, budget_minutes=5) == 1
    assert (repository / "counter").read_text() == "xxx"
    assert "round 3 of 5 failed" in capfd.readouterr().err


@pytest.mark.slow
def test_a_test_that_passes_is_run_in_every_round(repository: Path) -> None:
    write(repository, "tests/unit/test_flaky.py", FLAKY.replace('!= "xxx"', ""))
    assert run_rounds(repository, changed_tests(repository, "base"), PLAIN, budget_minutes=5) == 0
    assert (repository / "counter").read_text() == ROUNDS * "x"


@pytest.mark.slow
def test_no_round_begins_that_the_budget_has_no_time_for(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(repository, "tests/unit/test_flaky.py", FLAKY)
    assert run_rounds(repository, ["tests/unit/test_flaky.py"], PLAIN, budget_minutes=0) == 0
    assert (repository / "counter").read_text() == "x"
    assert "no time for round 2 of 5" in capfd.readouterr().err
