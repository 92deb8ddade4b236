"""Where mutants are made and tested: a copy of the working tree, so that nobody's files are touched."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.mutants.mutant import Fate, Mutant, MutantError, Outcome
from tests.support.working_tree import SOURCE, copy_working_tree

PACKAGES = ("features", "training", "scoring", "infra", "tests")
PASSED, FAILED = 0, 1
"""Of pytest: all tests passed, and some failed; every other code says that it could not run them."""
LAST_LINES = 6


class Workshop:
    """A copy of the working tree in `folder` that uses the environment of the original."""

    def __init__(self, folder: Path) -> None:
        """Copy; raises `MutantError` where the copy would not be used."""
        self._folder = folder
        copy_working_tree(folder)
        (folder / ".venv").symlink_to(SOURCE / ".venv")
        self._require_own_packages()

    def test(self, mutant: Mutant, *, seconds: float) -> Outcome:
        """Run its tests on the mutant, for so many `seconds` at most; afterwards the copy is as it was."""
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
        """The exit code and the last lines of pytest, which ends at the first failure.

        What `make test` leaves out is left out here: those tests protect nobody's daily work.
        """
        options = ["-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", "-m", "not full and not cluster"]
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        return ended.returncode, "\n".join(ended.stdout.splitlines()[-LAST_LINES:])

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self._folder)}

    def _require_own_packages(self) -> None:
        """The environment has the original's packages on its path, too: the copy's must come first."""
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
