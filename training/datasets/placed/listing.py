"""The files at an address, as their container lists them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from features.files import is_inside
from training.datasets.described.delta import LOG, DeltaTableError
from training.datasets.described.files import is_hidden
from training.datasets.errors import DatasetError, EmptyDatasetError, MissingFileError
from training.datasets.placed.address import Address

MOST_FILES = 100_000
"""The longest listing that is accepted. It takes a minute to read, and Spark opens every file."""


class UnreadableLakeError(DatasetError):
    """A container that can't be listed or read with this identity, or from this machine."""


class ForbiddenLakeError(UnreadableLakeError):
    """A container on which this identity has no role, or not yet."""


class ChangedFileError(DatasetError):
    """A file that is not what it was when its container was listed."""


class TooManyFilesError(DatasetError):
    """A folder with more files than `MOST_FILES`."""


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a container: its whole name, size in bytes, and ETag, which changes with each write."""

    name: str
    size: int
    etag: str


class Lake(Protocol):
    """What reads containers, with the caller's identity."""

    def files(self, address: Address) -> Sequence[Blob]:
        """The file at the address, or else all files below it; none if there are none.

        Raises `UnreadableLakeError`.
        """
        ...

    def fetch(self, address: Address, file: Blob, target: Path, on_bytes: Callable[[int], None]) -> None:
        """Download a file of the address's container; `on_bytes` gets the size of each piece.

        Raises `ChangedFileError` if it is not the listed one any more, or `UnreadableLakeError`.
        """
        ...


def listed(address: Address, lake: Lake) -> Sequence[tuple[str, Blob]]:
    """The data files at the address, each with its name below it, in the order of these names.

    A file that is the address itself has an empty name. Files and folders that begin with `.` or `_` are no data.
    Raises `MissingFileError`, `EmptyDatasetError`, `TooManyFilesError`, `DeltaTableError`, `DatasetError` for a name
    that leads out of the address, or what `lake` does.
    """
    found = []
    for blob in lake.files(address):
        name = _below(address, blob)
        parts = name.split("/")
        if parts[0] == LOG:
            raise DeltaTableError(
                f"{address} is a Delta table, and those are read from local folders alone. Download it, or write the "
                "rows as Parquet files."
            )
        if not any(map(is_hidden, parts)):
            found.append((name, blob))
        if len(found) > MOST_FILES:
            raise TooManyFilesError(
                f"{address} has more than {MOST_FILES:,} files. Name a folder with fewer, or write them as fewer and "
                "larger files: Spark is fastest with files of 128 MB to 1 GB."
            )
    if not found:
        raise MissingFileError(f"There is no file at {address}, nor below it. Correct the path, or write files there.")
    for _, blob in found:
        if not blob.size:
            raise EmptyDatasetError(f"The file {blob.name} at {address} is empty. Remove it, or write rows to it.")
    return sorted(found, key=lambda one: one[0])


def _below(address: Address, blob: Blob) -> str:
    """The blob's name below the address; empty for the file that is the address itself."""
    if blob.name == address.path:
        return ""
    name = blob.name.removeprefix(f"{address.path}/" if address.path else "")
    if not is_inside(name):
        raise DatasetError(
            f"The name {blob.name} at {address} can't be a file's: a part of it is empty, `.` or `..`. Rename or "
            "delete this blob."
        )
    return name
