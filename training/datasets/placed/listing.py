"""Addresses in Azure Storage, `abfss://` as Spark has them and `https://` as the portal does, and the files at them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from features.files import is_inside
from training.errors import DatasetError, EmptyDatasetError, MissingFileError, SpecError
from training.tables.delta import LOG, DeltaTableError
from training.tables.files import is_hidden

_ACCOUNT, _CONTAINER = "([a-z0-9]{3,24})", "((?=[a-z0-9-]{3,63}(?![a-z0-9-]))[a-z0-9]+(?:-[a-z0-9]+)*)"
"""The rules for names (Microsoft, "Naming rules and restrictions for Azure resources")."""
_LAKE = re.compile(rf"abfss?:/{{1,2}}{_CONTAINER}@{_ACCOUNT}\.dfs\.core\.windows\.net(?:/(.*))?")
_BLOB = re.compile(rf"https:/{{1,2}}{_ACCOUNT}\.(?:blob|dfs)\.core\.windows\.net/{_CONTAINER}(?:/([^?]*))?")
_SCHEME = re.compile(r"abfss?:/")


@dataclass(frozen=True, order=True)
class Address:
    """A file or folder in a container. `path` has no slash at either end, and is empty for the whole container."""

    account: str
    container: str
    path: str

    def __str__(self) -> str:
        """As Spark writes it."""
        return f"abfss://{self.container}@{self.account}.dfs.core.windows.net/{self.path}"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def address_of(text: str) -> Address | None:
    """The address that a path means, or None for a local path, or for a URL of something else.

    A URL with a query is none, since a signature in it gives access. One slash after the scheme is enough, since a
    `Path` loses the second. Raises `SpecError` for an address that no file can have.
    """
    if found := _LAKE.fullmatch(text):
        container, account, path = found.groups()
    elif found := _BLOB.fullmatch(text):
        account, container, path = found.groups()
    elif _SCHEME.match(text):
        raise SpecError(
            f"{text} is not an address in Azure Storage. Write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH, "
            "with the names in small letters."
        )
    else:
        return None
    path = (path or "").strip("/")
    if path and not is_inside(path):
        raise SpecError(f"{text} has a part that is empty, `.` or `..`. Give the path without it.")
    return Address(account, container, path)


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
                f"{address} is a Delta table, and those are read only from local folders. Download it, or write the "
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
