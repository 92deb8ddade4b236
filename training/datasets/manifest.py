"""Manifests: a dataset's identity, which changes exactly when its data does; and copies of its files, written aside."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from features import files
from features.files import sha256
from training.errors import DatasetError, EmptyDatasetError
from training.runtime import cache_folder

WHOLE = "all"
"""The partition of an undivided dataset."""
RECORD = "listing.json"
"""In a copy of a dataset: the manifest of the files that were copied."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a dataset. `identity` is its SHA-256, or the server's version of a file that is not downloaded yet;
    `size` is in bytes, 0 if unknown."""

    partition: str
    path: str
    size: int
    identity: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset's files, and `hash`, 64 hexadecimal digits: the dataset's identity wherever it is stored."""

    kind: str
    hash: str
    partitions: tuple[File, ...]
    description: str
    size: int = 0
    """The approximate size of its files in bytes, 0 if unknown."""
    versions: dict[str, int] = {}
    """The version of each table that is a Delta table."""
    dropped: str = ""
    """How many rows the join drops, and why, in a sentence, as far as the quick check saw any."""


def manifest(
    kind: str,
    description: str,
    files: Iterable[File],
    *,
    size: int | None = None,
    versions: Mapping[str, int] | None = None,
    **parameters: object,
) -> Manifest:
    """The manifest of these files and parameters. Only the file name of a path is part of the identity.

    `size` is the expected size in bytes of files that will be generated.
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
        versions=dict(versions or {}),
    )


def require_planned(found: Manifest, wanted: str | None) -> None:
    """Raise `DatasetError` if the dataset is not the one with the hash `wanted`; None wants it as it is."""
    if wanted not in {None, found.hash}:
        raise DatasetError(
            f"The data changed after it was planned: {found.description}. Run `up` again once nobody writes there."
        )


def write_record(copied: Manifest, copy: Path) -> None:
    """Write the manifest of the files that were copied into a copy."""
    (copy / RECORD).write_bytes(msgspec.json.encode(copied))


def recorded(copy: Path | None) -> Manifest | None:
    """The manifest of the files that were copied into a copy; None if it has none."""
    if copy is None or not (copy / RECORD).is_file():
        return None
    return manifest_in((copy / RECORD).read_bytes())


def manifest_in(record: bytes) -> Manifest:
    """The manifest in the content of a `RECORD`."""
    return msgspec.json.decode(record, type=Manifest)


def local_file(path: Path, partition: str) -> File:
    """A local file; raises `EmptyDatasetError` for an empty one, `DatasetError` for an unreadable one."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise EmptyDatasetError(f"The file {path} is empty. Give a file with rows in it.")
        return File(partition=partition, path=str(path), size=size, identity=cached_sha256(path))
    except OSError as error:
        raise DatasetError(f"The file {path} cannot be read: {error.strerror}. Correct its permissions.") from error


def cached_sha256(path: Path) -> str:
    """The SHA-256 of a file, cached until its size or modification time changes."""
    path = path.resolve()
    status = path.stat()
    key = hashlib.sha256(os.fsencode(path)).hexdigest()
    entry = cache_folder() / "hashes" / key
    stamp = f"{status.st_size} {status.st_mtime_ns} "
    with suppress(OSError):
        if (known := entry.read_text()).startswith(stamp):
            return known.removeprefix(stamp)
    computed = sha256(path)
    with suppress(OSError):  # without a cache the file is read again next time
        entry.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(entry, stamp + computed)
    return computed


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
            f"The dataset cannot be written to {folder}: {error.strerror or error}. Free space or correct "
            "permissions, then run again."
        ) from error
