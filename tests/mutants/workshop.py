"""Tests mutants in a copy of the working tree, which leaves the original untouched."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from steps.shared.child import end_session
from tests.mutants.mutant import Fate, Mutant, MutantError, Outcome
from tests.support.working_tree import SOURCE, copy_working_tree

PACKAGES = (
    *("features", "recommend", "training", "scoring", "batch", "azure_clients", "steps", "infra", "personalize"),
    "tests",
)
PASSED, FAILED, NOT_IMPORTED, NONE = 0, 1, 2, 5
"""Pytest's exit codes: all passed, one failed, one could not be imported, and none was selected. Any other code means
that they couldn't run."""
USUAL = "not full"
"""The tests that `make test` runs."""
FIRST_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)
LAST_LINES = 6
SECONDS = 600.0
"""Time limit for a mutant's tests, which take up to half a minute on an idle machine."""
AGAIN_SECONDS = 60.0
"""The least time limit for the test that failed, without the fault."""
FATES = {PASSED: Fate.SURVIVED, NONE: Fate.SURVIVED, FAILED: Fate.KILLED, NOT_IMPORTED: Fate.KILLED}
KERNEL = "scoring/native/kernel.c"
STRICT = "PERSONALIZATION_ENVIRONMENT"
"""With it a skipped test is a failure, which would kill any mutant."""
LEAVING_SECONDS = 20.0
"""Time for pytest to stop what its tests have started."""


class Workshop:
    """A copy of the working tree in `folder`, with the original's environment."""

    def __init__(self, folder: Path, passing: set[str]) -> None:
        """Copy the tree; raises `MutantError` if Python would import the original's packages.

        `passing` collects the tests that were seen to pass without a fault; the workshops of a run share it.
        """
        self._folder = folder
        self._passing = passing
        self._pytest: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = Lock()
        copy_working_tree(folder)
        _commit(folder)
        (folder / ".venv").symlink_to(SOURCE / ".venv")
        self._require_own_packages()

    def test(self, mutant: Mutant, *, seconds: float, chosen: Sequence[str] = (USUAL,)) -> Outcome:
        """Run the mutant's tests for at most `seconds`, one selection by markers after the other, and restore the copy.

        A test that fails must pass without the fault, for which it gets a minute at least, or it proves nothing.
        """
        began = time.monotonic()
        end = began + seconds
        noticed: tuple[str, ...] = ()
        try:
            code, said = self._with_fault(mutant, end, chosen)
            fate = FATES.get(code, Fate.UNTESTED)
            if fate is Fate.KILLED:
                failed = FIRST_FAILED.search(said)
                noticed = (failed[1],) if failed else mutant.tests
                if complaint := self._complaint(noticed, max(end - time.monotonic(), AGAIN_SECONDS)):
                    fate, said = Fate.UNTESTED, f"The tests do not pass as the program is:\n{complaint}"
        except MutantError as error:
            return Outcome(name=mutant.name, fate=Fate.NOT_APPLICABLE, seconds=0.0, noticed=(), said=str(error))
        except subprocess.TimeoutExpired:
            fate, said = Fate.UNTESTED, f"The tests took more than {seconds:.0f} s."
        last = "\n".join(said.splitlines()[-LAST_LINES:])
        spent = round(time.monotonic() - began, 1)
        return Outcome(name=mutant.name, fate=fate, seconds=spent, noticed=noticed, said=last)

    def _complaint(self, tests: Sequence[str], seconds: float) -> str:
        """What pytest says if these tests do not pass as the program is; empty if they do, or once did in this run."""
        if self._passing.issuperset(tests):
            return ""
        code, said = self.pytest(*tests, seconds=seconds)
        if code != PASSED:
            return said
        self._passing.update(tests)
        return ""

    def _with_fault(self, mutant: Mutant, end: float, chosen: Sequence[str]) -> tuple[int, str]:
        """Pytest's result for the mutant's tests: of the first selection in which one fails, else of the last."""
        file = self._folder / mutant.file
        content, status = file.read_text(), file.stat()
        code, said = NONE, ""
        try:
            file.write_text(mutant.altered(content))
            for markers in chosen:
                code, said = self.pytest(*mutant.tests, seconds=end - time.monotonic(), markers=markers)
                if code not in {PASSED, NONE}:
                    break
        finally:
            file.write_text(content)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
            if mutant.file == KERNEL:  # the tests have compiled it with the fault into the environment
                command = [sys.executable, "-m", "scoring.native.build"]
                subprocess.run(command, cwd=self._folder, env=self._environment(), capture_output=True, check=True)
        return code, said

    def pytest(self, *tests: str, seconds: float, markers: str = USUAL) -> tuple[int, str]:
        """Run pytest until the first failure; returns its exit code and its output."""
        options = ["-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", "-m", markers]
        with self._lock:
            if self._closed:
                raise MutantError("Nothing is tested any more.")
            child = self._pytest = subprocess.Popen(
                [sys.executable, "-m", "pytest", *options, *tests],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        try:
            said, _ = child.communicate(timeout=seconds)
        finally:
            _end(child)
            self._pytest = None
        return child.returncode, said

    def close(self) -> None:
        """Stop: end pytest and what it has started."""
        with self._lock:
            self._closed = True
            child = self._pytest
        if child is not None:
            _end(child)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != STRICT}
        return {**inherited, "PYTHONPATH": str(self._folder)}

    def _require_own_packages(self) -> None:
        """Check that the copy's packages come first: the environment's path also has the original's."""
        code = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__path__[0])"
        found = subprocess.run(
            [sys.executable, "-c", code, *PACKAGES],
            cwd=self._folder,
            env=self._environment(),
            capture_output=True,
            check=True,
            text=True,
        )
        others = [place for place in found.stdout.splitlines() if self._folder not in Path(place).parents]
        if others:
            raise MutantError(f"The copy in {self._folder} would be tested with {', '.join(others)}.")


def _commit(folder: Path) -> None:
    """Make the copy a repository of its own, which some tests ask for its files."""
    author = "-c", "user.name=mutants", "-c", "user.email=mutants@localhost"
    for words in (("init", "--quiet"), ("add", "--all"), (*author, "commit", "--quiet", "--message", "Copy")):
        subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True)


def _end(child: subprocess.Popen[str]) -> None:
    """Interrupt pytest like Ctrl-C, so that its fixtures clean up, then kill the rest of its session."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(LEAVING_SECONDS)
    end_session(child.pid)
    child.wait()
