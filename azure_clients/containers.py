"""Reads files where they are in Azure Storage, with the identity of whoever runs this.

Listing and reading need the role Storage Blob Data Reader on the container.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from azure_clients import credentials
from azure_clients.credentials import forget_tokens
from azure_clients.errors import FORBIDDEN, UNAUTHENTICATED
from azure_clients.lake import FOLDER
from features.errors import PersonalizationError
from training.datasets.placed.listing import (
    MOST_FILES,
    Address,
    Blob,
    ChangedFileError,
    ForbiddenLakeError,
    UnreadableLakeError,
)

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient

RETRIES: dict[str, Any] = {"retry_total": 2, "initial_backoff": 1, "increment_base": 2}
"""A wrong account's name is known after some seconds instead of a minute."""
MOST_ENTRIES = 2 * MOST_FILES
"""Entries that are read of a listing: files, and in hierarchical accounts folders."""
Answer = TypeVar("Answer")
FIREWALL = "AuthorizationFailure"
"""The code if the account's firewall refuses the caller's address; without a role it is
`AuthorizationPermissionMismatch` (Microsoft, "Common REST API error codes" and "Blob service error codes")."""


class LakePackagesError(PersonalizationError):
    """Azure's packages are not installed."""


class AzureLake:
    """A `training.datasets.placed.listing.Lake`, for containers in any subscription of a tenant."""

    def __init__(self, tenant: str = "") -> None:
        """Without a `tenant`, it is the one that is signed in. Makes no request yet."""
        self._tenant = tenant or os.environ.get("ARM_TENANT_ID", "")
        self._clients: dict[tuple[str, str], ContainerClient] = {}

    def files(self, address: Address) -> Sequence[Blob]:
        """The file at the address, or else all files below it; see `Lake`."""
        return self._asked(address, _files)

    def fetch(self, address: Address, file: Blob, target: Path, on_bytes: Callable[[int], None]) -> None:
        """Download a file to `target`, piece by piece, while its ETag is the listed one; see `Lake`."""
        self._asked(address, lambda client, _: _download(client, file, target, on_bytes))

    def _asked(self, address: Address, call: Callable[["ContainerClient", Address], Answer]) -> Answer:
        """The result of `call`, which gets one more attempt with a new token if one was rejected."""
        with _explained(address):
            from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - an extra

            try:
                return call(self._container(address), address)
            except ClientAuthenticationError as error:
                if error.status_code != UNAUTHENTICATED:
                    raise
                forget_tokens()
                self._clients.clear()  # each keeps its last token
                return call(self._container(address), address)

    def _container(self, address: Address) -> "ContainerClient":
        place = address.account, address.container
        if place not in self._clients:
            endpoint = f"https://{address.account}.blob.core.windows.net"
            self._clients[place] = credentials.container(self._tenant, endpoint, address.container, **RETRIES)
        return self._clients[place]


def _files(client: "ContainerClient", address: Address) -> Sequence[Blob]:
    prefix = f"{address.path}/" if address.path else ""
    entries = islice(client.list_blobs(name_starts_with=prefix, include=["metadata"]), MOST_ENTRIES)
    found = list(_blobs(entries))
    return found or list(_blobs(_single(client, address.path) if address.path else []))


def _blobs(entries: "Iterable[BlobProperties]") -> Iterator[Blob]:
    """The files among the entries, one by one: the SDK's objects take 5 kB each."""
    for one in entries:
        if (one.metadata or {}).get(FOLDER) != "true":
            yield Blob(name=one.name, size=one.size, etag=one.etag.strip('"'))


def _single(client: "ContainerClient", name: str) -> "list[BlobProperties]":
    """The file of this name, if there is one."""
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - an extra

    try:
        return [client.get_blob_client(name).get_blob_properties()]
    except ResourceNotFoundError as error:
        if _code(error) == "ContainerNotFound":
            raise
        return []


def _download(client: "ContainerClient", file: Blob, target: Path, on_bytes: Callable[[int], None]) -> None:
    from azure.core import MatchConditions  # noqa: PLC0415 - an extra
    from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError  # noqa: PLC0415 - an extra

    blob = client.get_blob_client(file.name)
    with target.open("wb") as stream:
        try:
            pieces = blob.download_blob(etag=f'"{file.etag}"', match_condition=MatchConditions.IfNotModified)
            for piece in pieces.chunks():
                stream.write(piece)
                on_bytes(len(piece))
        except (ResourceModifiedError, ResourceNotFoundError) as error:
            raise ChangedFileError(
                f"The file {blob.url} changed, or was deleted, after it was listed. Write new data as new files, and "
                "run `up` again once nobody writes there."
            ) from error


@contextmanager
def _explained(address: Address) -> Iterator[None]:
    """Turns the SDK's errors into sentences."""
    try:
        from azure.core.exceptions import (  # noqa: PLC0415 - an extra
            AzureError,
            ClientAuthenticationError,
            ResourceNotFoundError,
            ServiceRequestError,
        )
    except ImportError as error:
        raise LakePackagesError(
            f"{address} is in Azure Storage, and the packages for Azure are not installed. Run "
            "`.venv/bin/python -m tools.setup.azure`."
        ) from error
    where = f"container {address.container} of storage account {address.account}"
    try:
        yield
    except ResourceNotFoundError as error:
        raise UnreadableLakeError(f"There is no {where}. Correct the address {address}.") from error
    except ServiceRequestError as error:
        raise UnreadableLakeError(
            f"The storage account {address.account} can't be reached: {_first(error)}. Correct its name in {address} "
            "if there is no such account, or check the network."
        ) from error
    except ClientAuthenticationError as error:
        raise UnreadableLakeError(
            f"Azure accepts no token for the {where}: {_first(error)}. Sign in again with `az login`, then repeat the "
            "command; what was fetched is kept."
        ) from error
    except AzureError as error:
        if getattr(error, "status_code", None) == FORBIDDEN:
            if _code(error) == FIREWALL:
                said = "refuses this machine. Allow its address, or run this inside the network."
                raise UnreadableLakeError(f"The firewall of the {where} {said}") from error
            raise ForbiddenLakeError(
                f"You may not read the {where}. Its owner must give you the role Storage Blob Data Reader on it, which "
                "takes up to ten minutes to become effective."
            ) from error
        raise UnreadableLakeError(f"The {where} can't be read: {_first(error)}. Run the command again.") from error


def _code(error: Exception) -> str:
    """Storage's own code of an error, which the SDK adds without declaring it."""
    return str(getattr(error, "error_code", None) or "")


def _first(error: Exception) -> str:
    """The first line of an SDK's message."""
    return (str(error).strip().splitlines() or ["no reason was given"])[0].rstrip(".")
