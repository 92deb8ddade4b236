"""Temporary folders that do not pile up: who makes one removes those of the same kind whose process has ended.

A process that is killed cannot tidy up. A folder's lock says whether its maker still runs, also to a process that sees
other process numbers, as in another container.
"""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

LOCK = "in-use"
UNLOCKED_SECONDS = 60.0
"""How long a folder may be without its lock, which its maker takes right after making it."""


class ScratchFolder:
    """A folder of this process, named after its kind."""

    def __init__(self, kind: str, *, within: str | None = None) -> None:
        """Make it `within` the system's folder for temporary files, and remove what is left of others of its `kind`."""
        place = within or tempfile.gettempdir()
        remove_abandoned(kind, Path(place))
        self.path = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=place))
        aside = self.path / f"{LOCK}.new"
        self._lock = os.open(aside, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        aside.rename(self.path / LOCK)  # so that nobody finds it before it is locked

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_abandoned(kind: str, place: Path) -> None:
    """Remove the folders of this kind in `place` whose process has ended; those of other users stay."""
    for folder in place.glob(f"{kind}-*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


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
