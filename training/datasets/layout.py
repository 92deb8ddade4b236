"""The layout of a dataset in the data lake: `dt=<partition>/part-<number>.tsv`, written aside and then renamed."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from features import files
from training.datasets.errors import DatasetError, MissingFileError, SpecError

Item = TypeVar("Item")

LISTING = "parts.txt"
"""A file beside the partitions that lists their files, one per line, so that a missing one is noticed."""

PLACES = "places.json"
"""In place of partitions: a list of pairs, a partition and the path of one of its files, which is not copied."""


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


def part(folder: Path, partition: str, number: int, suffix: str) -> Path:
    """The path of a part file; creates its folder."""
    parent = folder / f"dt={partition}"
    parent.mkdir(exist_ok=True)
    return parent / f"part-{number:05d}{suffix}"


def rows_files(folder: Path) -> list[Path]:
    """The files of a dataset: the parts in `folder`, or those that `PLACES` names elsewhere.

    Raises `MissingFileError` like `parts`.
    """
    if (folder / PLACES).is_file():
        named = json.loads((folder / PLACES).read_text(encoding="utf-8"))
        return [Path(path) for _, path in named]
    return parts(folder)


def parts(folder: Path) -> list[Path]:
    """The part files in `folder`, in order; raises `MissingFileError` if none is there or a listed one is missing."""
    found = _parts(folder)
    if not found:
        raise MissingFileError(f"There is no dataset in {folder}. Run the data step again.")
    listing = folder / LISTING
    listed = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    if missing := sorted(set(listed) - {path.relative_to(folder).as_posix() for path in found}):
        raise MissingFileError(f"The dataset in {folder} lacks {', '.join(missing[:5])}. Run the data step again.")
    return found


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
            if written := _parts(aside):
                names = (path.relative_to(aside).as_posix() for path in written)
                (aside / LISTING).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    except OSError as error:
        raise DatasetError(
            f"The dataset cannot be written to {folder}: {error}. Free space or correct permissions, then run again."
        ) from error


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("dt=*/part-*"))
