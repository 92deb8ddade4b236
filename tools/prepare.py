"""`python3 -m tools.prepare` prepares this machine, with any Python from 3.10 on and no packages.

It checks what it can't install itself (the C library, OpenMP), gets uv, lets uv install the locked packages into
`.venv`, and runs `tools.setup` there. What is in place is only checked, so a second run takes a second. With the word
`try` it installs what `personalize try` needs and no more.
"""

import fcntl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tools import machine
from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError, elapsed, exit_status, say
from tools.setup.packages import STACK, TRY, ensure_packages
from tools.setup.uv import ensure_uv
from tools.toolchain import version_numbers
from tools.versions import GLIBC

OLDEST_PYTHON = (3, 10)


def prepare(extras: Sequence[str] = STACK) -> None:
    """Prepare the machine; raises `SetupError`, or ends the process with the status of the part in `.venv`."""
    started = time.monotonic()
    check_machine()
    with _only_one():
        changed = ensure_packages(ensure_uv(), extras)
        if extras == TRY:
            return
        command = [str(ROOT / ".venv" / "bin" / "python"), "-m", "tools.setup"]
        if status := subprocess.run(command, cwd=str(ROOT), check=False).returncode:  # noqa: S603 - ours
            sys.exit(status)
    if changed:
        say(f"This machine is ready, after {elapsed(time.monotonic() - started)}.")


def check_machine() -> None:
    """Raise `SetupError` if this machine lacks something that no later step can install."""
    if machine.platform_name() != machine.TESTED:
        say(f"note: this machine is {machine.platform_name()}, and the project is tested on {machine.TESTED} only.")
    if machine.is_linux() and version_numbers(version := machine.glibc_version()) < version_numbers(GLIBC):
        raise SetupError(
            f"the GNU C library here is {version or 'another one'}, and the Python packages need at least {GLIBC}; use "
            "a newer Linux that has it, such as Debian or Ubuntu"
        )
    if not machine.openmp_loads():
        raise SetupError(
            f"{machine.OPENMP_LIBRARY}, the OpenMP runtime that LightGBM needs, is not installed; {machine.OPENMP} "
            "installs it"
        )


@contextmanager
def _only_one() -> Iterator[None]:
    """Let only one set-up at a time change `.venv` and the cache."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is running on this machine; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    if sys.version_info < OLDEST_PYTHON:
        sys.exit("error: the set-up needs Python 3.10 or newer as python3; install one")
    sys.exit(exit_status(lambda: prepare(TRY if sys.argv[1:] == ["try"] else STACK)))
