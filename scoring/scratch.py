"""Temporary folders that do not pile up: creating one removes those of the same kind whose process has ended.

A killed process cannot clean up after itself. Each process locks its folder. The lock shows whether the process still
runs, even across containers, which have separate process IDs.
"""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

LOCK = "in-use"
UNLOCKED_SECONDS = 60.0
"""A folder without a lock file counts as abandoned after this time; normally its process locks it at once."""


class ScratchFolder:
    """A temporary folder of this process; its name starts with its kind."""

    def __init__(self, kind: str) -> None:
        """Create it, and remove this user's abandoned ones of its `kind`."""
        for folder in Path(tempfile.gettempdir()).glob(f"{kind}-*"):
            if _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        self.path = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
        aside = self.path / f"{LOCK}.new"
        self._lock = os.open(aside, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        aside.rename(self.path / LOCK)  # so that no process finds it unlocked

    def remove(self) -> None:
        """Remove the folder and its contents."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _is_abandoned(folder: Path) -> bool:
    try:
        if folder.stat().st_uid != os.getuid():
            return False
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return folder.is_dir() and time.time() - folder.stat().st_mtime > UNLOCKED_SECONDS
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
