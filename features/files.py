"""Writes files and folders atomically: aside first, then renamed. `stamp` tells readers that it happened."""

import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_SPACE = re.compile("No space left on device|Disk quota exceeded|disk is full", re.IGNORECASE)
"""Of the system, of folders that are copied, and of SQLite."""
Stamp = tuple[int, int, int]
UNREADABLE: Stamp = (0, 0, -1)
"""The stamp of a file of which the system doesn't say whether it is there."""


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A path beside `target`, where the body creates a file, link or folder that is then renamed to `target`.

    The disk has all of it by then. A file or link there is replaced; a folder must be gone. When the body fails, what
    it made is removed.
    """
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        yield aside
        _flush(aside)
        aside.replace(target)
    except OSError as error:
        if error.errno and not error.filename:  # a write knows no path
            error.filename = str(target)
        raise
    finally:
        remove(aside)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush(made: Path) -> None:
    """Wait until the disk has a file or the files of a folder: a rename must not come before the content."""
    for file in [made, *made.rglob("*")]:
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def private_folder(folder: Path) -> None:
    """Create a folder and the missing ones above it, all readable for the owner only (`mkdir` makes those public)."""
    missing = [folder] if not folder.exists() else []
    while missing and not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def is_inside(name: str) -> bool:
    """Whether a relative path that somebody else wrote stays in its folder: no part is empty, `.` or `..`."""
    return not {"", ".", ".."} & set(name.split("/"))


def write_whole(path: Path, text: str, mode: int = 0o666) -> None:
    """Write `text` aside, then rename. `mode` has the file's permissions, before the process's umask."""
    with written_aside(path) as aside:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)


def write_private(path: Path, text: str) -> None:
    """Write `text` aside, readable for the owner only, then rename."""
    write_whole(path, text, 0o600)


def no_space(error: BaseException) -> str | None:
    """What to do if an error is due to a full disk, with the path if it is known; None for any other error."""
    if getattr(error, "errno", None) not in {errno.ENOSPC, errno.EDQUOT} and not NO_SPACE.search(str(error)):
        return None
    where = f" at {error.filename}" if isinstance(error, OSError) and error.filename else f": {error}"
    return f"The disk is full{where}. Free some space and run again."


def sha256(file: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stamp(file: Path) -> Stamp | None:
    """A value that changes with the file; None if there is none, and `UNREADABLE` if the system doesn't say."""
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return UNREADABLE
    return found.st_mtime_ns, found.st_ino, found.st_size
