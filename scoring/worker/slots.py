"""A number for each worker that shares a folder of metrics: the smallest that no living one has.

Process ids would be given again to strangers, and files named after them would pile up with every restart. A slot's
lock says whether a worker lives; who takes the slot of one that ended goes on counting in its files.
"""

import fcntl
import os
from pathlib import Path

MOST = 4096


class Slot:
    """The slot of this process, until it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the smallest free one; raises `OSError` when the folder cannot be written to."""
        self._folder = folder
        self.number, self._lock = next(
            (number, lock) for number in range(MOST) if (lock := _lock(folder, number)) is not None
        )
        self.forget_dead()
        for file in folder.glob(f"gauge_live*_{self.number}.db"):
            file.unlink()  # what its last holder said about itself; what it counted stays

    def forget_dead(self) -> None:
        """Drop what workers that live no more said about themselves."""
        for file in self._folder.glob("gauge_live*_*.db"):
            number = int(file.stem.rpartition("_")[2])
            if number != self.number and (lock := _lock(self._folder, number)) is not None:
                file.unlink(missing_ok=True)
                os.close(lock)


def _lock(folder: Path, number: int) -> int | None:
    """The slot's lock, None when another process holds it."""
    descriptor = os.open(folder / f"slot_{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
