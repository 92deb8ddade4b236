"""`make test-new` runs new and changed test files five times, as a whole, and stops at the first failure."""

import subprocess
from pathlib import Path

import pytest

from tools.paths import ROOT


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose last commit changes one of two test files; a third one is not committed yet."""
    folder = tmp_path / "tests" / "unit"
    folder.mkdir(parents=True)
    git(tmp_path, "init", "--quiet")
    for name in ("test_same.py", "test_changed.py", "helper.py"):
        (folder / name).touch()
    commit(tmp_path)
    (folder / "test_changed.py").write_text("changed = True\n")
    (folder / "helper.py").write_text("changed = True\n")
    commit(tmp_path)
    (folder / "test_new.py").touch()
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a commit")


def make_test_new(folder: Path, base: str, pytest_command: str) -> "subprocess.CompletedProcess[str]":
    variables = [f"BASE={base}", f"PYTEST={pytest_command}", "PARALLEL="]
    command = ["make", "--silent", f"--file={ROOT}/Makefile", "--assume-old=test-tools", "test-new", *variables]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_new_and_changed_files_run_five_times(repository: Path) -> None:
    done = make_test_new(repository, "HEAD~1", "echo run")

    runs = [line for line in done.stdout.splitlines() if line.startswith("run ")]
    assert runs == ["run -m not full and not cluster tests/unit/test_changed.py tests/unit/test_new.py"] * 5
    assert done.returncode == 0


def test_a_failure_ends_it(repository: Path) -> None:
    done = make_test_new(repository, "HEAD~1", "false")

    assert (done.returncode, done.stdout.count("round ")) == (2, 1)


def test_files_without_a_test_to_run_are_no_failure(repository: Path) -> None:
    assert make_test_new(repository, "HEAD~1", "sh -c 'exit 5'").returncode == 0


def test_without_new_tests_nothing_runs(repository: Path) -> None:
    (repository / "tests" / "unit" / "test_new.py").unlink()

    done = make_test_new(repository, "HEAD", "false")

    assert (done.returncode, done.stdout) == (0, "new or changed since HEAD:\n")


def test_a_base_that_is_no_commit_is_an_error(repository: Path) -> None:
    assert make_test_new(repository, "nope", "true").returncode != 0
