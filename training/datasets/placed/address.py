"""Addresses of files and folders in Azure Storage: `abfss://` as Spark writes them, `https://` as the portal does."""

import re
from dataclasses import dataclass

from features.files import is_inside
from training.datasets.errors import SpecError

_LAKE = re.compile(r"abfss?:/{1,2}([^@/]*)@([^./]*)\.dfs\.core\.windows\.net(?:/(.*))?")
_BLOB = re.compile(r"https:/{1,2}([^./]*)\.(?:blob|dfs)\.core\.windows\.net/([^/?]*)(?:/([^?]*))?")
_SCHEME = re.compile(r"abfss?:/")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]")
"""The rules for names of accounts and containers (Microsoft, "Naming rules and restrictions for Azure resources")."""


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
            f"{text} is no address in Azure Storage. Write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH."
        )
    else:
        return None
    if not _ACCOUNT.fullmatch(account):
        raise SpecError(f"{text} names the storage account {account!r}, which needs 3 to 24 letters and digits.")
    if not _CONTAINER.fullmatch(container):
        raise SpecError(
            f"{text} names the container {container!r}, which needs 3 to 63 letters, digits and single hyphens."
        )
    path = (path or "").strip("/")
    if path and not is_inside(path):
        raise SpecError(f"{text} has a part that is empty, `.` or `..`. Give the path without it.")
    return Address(account, container, path)
