"""Fetches the snapshots from the lake into a pod's folder, with the pod's workload identity, by plain HTTP.

Each worker asks for what is current, and one at a time fetches it. Azure's SDKs would double the image.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from features.files import write_private, write_whole, written_aside
from recommend import catalogue, histories
from recommend.forgotten import FILE as FORGOTTEN
from recommend.forgotten import Forgotten
from recommend.published import CURRENT, decode, place
from scoring.errors import FetchError

VERSION = "2024-08-04"
"""Of the Blob service's protocol."""
SCOPE = "https://storage.azure.com/.default"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLIENT, TENANT, AUTHORITY, TOKEN_FILE = (
    f"AZURE_{name}" for name in ("CLIENT_ID", "TENANT_ID", "AUTHORITY_HOST", "FEDERATED_TOKEN_FILE")
)
"""The variables of a pod that has an Azure identity."""
FILES = (histories.FILE, catalogue.FILE)
TIMEOUT_SECONDS = 10.0
EARLY_SECONDS = 300.0
"""A token is renewed when it has less than this left."""
PIECE_BYTES = 1 << 20


class Lake:
    """The snapshots of a version at an address, `https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER/BUNDLE HASH`,
    and a folder for them.
    """

    def __init__(self, address: str, folder: Path) -> None:
        """Makes no request yet."""
        self._address = address
        self._files = address.rpartition("/")[0]
        """Where the files of all versions are, and the list of forgotten users."""
        self._folder = folder
        self._etags: dict[str, str] = {}
        self._token = ""
        self._token_ends = 0.0
        self.has_no_list = False
        """Whether Azure has said so: nobody was ever forgotten."""

    def fetch(self) -> None:
        """Fetch what has changed since the last call: who was forgotten, then the snapshots.

        Raises a `PersonalizationError`; what can't be fetched stays in the folder as it is, and withholds nothing else.
        """
        try:
            self._fetch(FORGOTTEN, self._files, self._take_forgotten)
        finally:
            self._fetch(CURRENT, self._address, self._take_snapshots)

    def _fetch(self, name: str, address: str, take: Callable[[bytes], None]) -> None:
        """Let `take` have the content of a small file if it has changed and there is one."""
        unless = {"If-None-Match": self._etags[name]} if name in self._etags else {}
        try:
            with self._asked(f"{address}/{name}", unless) as answer:
                content, etag = answer.read(), answer.headers["ETag"]
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            take(content)
        except HTTPError as error:
            if error.code not in {HTTPStatus.NOT_MODIFIED, HTTPStatus.NOT_FOUND}:
                raise FetchError(
                    f"Azure refuses {name} at {address}: {error}. Check the role of the pods' identity."
                ) from error
            self.has_no_list |= name == FORGOTTEN and error.code == HTTPStatus.NOT_FOUND
        except (OSError, ValueError, KeyError, HTTPException) as error:
            raise FetchError(f"{name} at {address} can't be fetched: {error!r}.") from error
        else:
            self._etags[name] = etag

    def _take_forgotten(self, content: bytes) -> None:
        Forgotten.decode(content)  # an altered list replaces none
        write_private(self._folder.parent / FORGOTTEN, content.decode())

    def _take_snapshots(self, content: bytes) -> None:
        current = decode(content)
        with self._alone(), ExitStack() as files:
            for name in FILES:
                files.callback(self._bring, name, current.get(name, ""))  # each is called, also after an error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One worker at a time: the next one finds what this one has fetched."""
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _bring(self, name: str, digest: str) -> None:
        """Let the folder have the snapshot with this hash. Without one no user is known, and there is no catalogue."""
        target, mark = self._folder / name, self._folder / f".{name}.sha256"
        if not digest and name == histories.FILE:
            histories.write_empty(target)
        elif not digest:
            target.unlink(missing_ok=True)
        elif not target.is_file() or not mark.is_file() or mark.read_text() != digest:
            with written_aside(target) as aside:
                self._download(place(name, digest), aside, digest)
        write_whole(mark, digest)

    def _download(self, name: str, target: Path, digest: str) -> None:
        found = hashlib.sha256()
        with self._asked(f"{self._files}/{name}") as answer, target.open("wb") as stream:
            target.chmod(0o600)
            while piece := answer.read(PIECE_BYTES):
                found.update(piece)
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        if found.hexdigest() != digest:
            raise FetchError(f"{name} at {self._files} is incomplete or was altered. Train again, or load it again.")

    def _asked(self, url: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
        signed = {"Authorization": f"Bearer {self._bearer()}", "x-ms-version": VERSION, **(headers or {})}
        return _open(url, headers=signed)

    def _bearer(self) -> str:
        """The identity's token for storage. Raises `KeyError` for a pod without an identity."""
        if time.monotonic() > self._token_ends - EARLY_SECONDS:
            form = {
                "grant_type": "client_credentials",
                "client_id": os.environ[CLIENT],
                "scope": SCOPE,
                "client_assertion_type": ASSERTION,
                "client_assertion": Path(os.environ[TOKEN_FILE]).read_text(),
            }
            url = f"{os.environ[AUTHORITY].rstrip('/')}/{os.environ[TENANT]}/oauth2/v2.0/token"
            asked = time.monotonic()
            with _open(url, data=urlencode(form).encode()) as answer:
                given = json.load(answer)
            self._token, self._token_ends = given["access_token"], asked + float(given["expires_in"])
        return self._token


def _open(url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    request = Request(url, data, dict(headers or {}))  # noqa: S310 - an address of the stack's own, or Entra ID's
    return cast(HTTPResponse, urlopen(request, timeout=TIMEOUT_SECONDS))  # noqa: S310 - as above
