"""Tests mutants in a copy of the working tree, which leaves the original untouched."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

from steps.shared.child import end_session
from tests.mutants.mutant import Fate, Mutant, MutantError, Outcome
from tests.support.working_tree import SOURCE, copy_working_tree

PACKAGES = ("features", "training", "scoring", "azure_clients", "steps", "infra", "personalize", "tests")
PASSED, FAILED = 0, 1
"""Pytest's exit codes for passed and failed tests; any other code means that they couldn't run."""
LAST_LINES = 6
LEAVING_SECONDS = 20.0
"""Time for pytest to stop what its tests have started."""


class Workshop:
    """A copy of the working tree in `folder`, with the original's environment."""

    def __init__(self, folder: Path) -> None:
        """Copy the tree; raises `MutantError` if Python would import the original's packages."""
        self._folder = folder
        self._pytest: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = Lock()
        copy_working_tree(folder)
        (folder / ".venv").symlink_to(SOURCE / ".venv")
        self._require_own_packages()

    def test(self, mutant: Mutant, *, seconds: float) -> Outcome:
        """Run the mutant's tests for at most `seconds`, then restore the copy."""
        began = time.monotonic()
        file = self._folder / mutant.file
        content, status = file.read_text(), file.stat()
        code: int | None = None
        try:
            file.write_text(mutant.altered(content))
            code, said = self.pytest(*mutant.tests, seconds=seconds)
        except MutantError as error:
            return Outcome(name=mutant.name, fate=Fate.NOT_APPLICABLE, seconds=0.0, said=str(error))
        except subprocess.TimeoutExpired:
            said = f"The tests took more than {seconds:.0f} s."
        finally:
            file.write_text(content)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        fate = Fate.SURVIVED if code == PASSED else Fate.KILLED if code == FAILED else Fate.UNTESTED
        return Outcome(name=mutant.name, fate=fate, seconds=round(time.monotonic() - began, 1), said=said)

    def pytest(self, *tests: str, seconds: float) -> tuple[int, str]:
        """Run pytest until the first failure; returns its exit code and its last lines.

        Tests that `make test` leaves out are left out here, too.
        """
        options = ["-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", "-m", "not full and not cluster"]
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
        return child.returncode, "\n".join(said.splitlines()[-LAST_LINES:])

    def close(self) -> None:
        """Stop: end pytest and what it has started."""
        with self._lock:
            self._closed = True
            child = self._pytest
        if child is not None:
            _end(child)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self._folder)}

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


def _end(child: subprocess.Popen[str]) -> None:
    """Interrupt pytest like Ctrl-C, so that its fixtures clean up, then kill the rest of its session."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(LEAVING_SECONDS)
    end_session(child.pid)
    child.wait()
