"""What a dataset consists of, as an identity that changes exactly when the data does."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from training.datasets.errors import DatasetError, EmptyDatasetError
from training.runtime import cache_folder

WHOLE = "all"
"""The partition of data that comes in one piece."""
BY_DAYS = ("criteo",)
"""The kinds of dataset of which a partition is a day."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a dataset. `identity` is its SHA-256 or, for a file that is still to be downloaded, what the server
    says about its version; `size` is in bytes, 0 where the server does not tell."""

    partition: str
    path: str
    size: int
    identity: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset's files and `hash`, 64 hexadecimal digits, which is the dataset's identity wherever it lies."""

    kind: str
    hash: str
    partitions: tuple[File, ...]
    description: str
    size: int = 0
    """Bytes of its files, about, whether they are there already or not; 0 where nobody knows."""

    @property
    def days(self) -> dict[str, list[str]]:
        """The identities of each day's files, sorted, by the day's name; empty where the data does not come by days.

        The tables that a description joins are partitions too, and none of them is a day.
        """
        if self.kind not in BY_DAYS:
            return {}
        days = sorted({file.partition for file in self.partitions} - {WHOLE})
        return {day: sorted(file.identity for file in self.partitions if file.partition == day) for day in days}


def manifest(
    kind: str, description: str, files: Iterable[File], *, size: int | None = None, **parameters: object
) -> Manifest:
    """The manifest of these files and parameters. Of a path, only the file's name is part of the identity.

    `size` says how many bytes of files will be generated, where there are none yet.
    """
    listed = tuple(files)
    named = [[file.partition, Path(file.path).name, file.size, file.identity] for file in listed]
    content = json.dumps({"kind": kind, "files": named, **parameters}, sort_keys=True)
    return Manifest(
        kind=kind,
        hash=hashlib.sha256(content.encode()).hexdigest(),
        partitions=listed,
        description=description,
        size=sum(file.size for file in listed) if size is None else size,
    )


def local_file(path: Path, partition: str) -> File:
    """A file of this machine; raises `EmptyDatasetError` for one of no bytes, `DatasetError` for an unreadable one."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise EmptyDatasetError(f"The file {path} is empty. Give a file with rows in it.")
        return File(partition=partition, path=str(path), size=size, identity=cached_sha256(path))
    except OSError as error:
        raise DatasetError(f"The file {path} cannot be read: {error.strerror}. Correct its rights.") from error


def cached_sha256(path: Path) -> str:
    """The SHA-256 of a file, computed again only when its size or modification time has changed."""
    path = path.resolve()
    status = path.stat()
    key = hashlib.sha256(os.fsencode(path)).hexdigest()
    entry = cache_folder() / "hashes" / key
    stamp = f"{status.st_size} {status.st_mtime_ns} "
    if entry.exists() and (known := entry.read_text()).startswith(stamp):
        return known.removeprefix(stamp)
    computed = sha256(path)
    entry.parent.mkdir(parents=True, exist_ok=True)
    aside = entry.with_name(f"{key}.{os.getpid()}")
    aside.write_text(stamp + computed)
    aside.replace(entry)
    return computed


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
