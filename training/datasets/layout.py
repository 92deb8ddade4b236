"""How files of a dataset are ordered and copied: aside first, then renamed."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from features import files
from training.datasets.errors import DatasetError, SpecError

Item = TypeVar("Item")


def natural(name: str) -> list[tuple[int, str]]:
    """A key for sorting names, by which day_10 comes after day_9."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name) if piece]


def latest(files: Sequence[Item], days: int, shown: str) -> Sequence[Item]:
    """The last `days` of a folder's files, one per day, or all for 0; raises `SpecError` if there are fewer.

    `shown` is the folder's name.
    """
    if len(files) < days:
        raise SpecError(
            f"`days` asks for the last {days} files of {shown}, which has {len(files)}. Write `days: {len(files)}`, or "
            "wait until there are more."
        )
    return files[-days:]


def copy_checked(source: Path, target: Path, sha256: str) -> None:
    """Copy a file; raises `DatasetError` if the copy's SHA-256 differs because the file has changed."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(1 << 20):
            digest.update(chunk)
            writer.write(chunk)
    if digest.hexdigest() != sha256:
        raise DatasetError(f"The file {source} changed while it was copied. Run the command again.")


@contextmanager
def written_aside(folder: Path) -> Iterator[Path]:
    """A new folder that becomes `folder` if the block ends without an error, and is removed otherwise."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with files.written_aside(folder) as aside:
            aside.mkdir()
            yield aside
    except OSError as error:
        raise DatasetError(
            f"The dataset cannot be written to {folder}: {error}. Free space or correct permissions, then run again."
        ) from error
