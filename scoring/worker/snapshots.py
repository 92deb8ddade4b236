"""Opens the snapshots beside the model, and follows their replacement without delaying a request.

On Azure they are fetched from the lake into the pod's folder, with the pod's workload identity, by plain HTTP, since
Azure's SDKs would double the image. Each worker asks for what is current, and one at a time fetches it.
"""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Generic, TypeVar, cast
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from features.errors import PersonalizationError
from features.files import Stamp, stamp, write_private, write_whole, written_aside
from recommend import catalogue, histories
from recommend.catalogue import Catalogue, Comparison
from recommend.forgotten import FILE as FORGOTTEN
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import Histories
from recommend.published import CURRENT, decode, place
from recommend.stored import FOLDER, locked
from scoring.model.model import ServedModel
from scoring.model.records import Lookups
from scoring.worker.logs import LogSink

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

LOOK_SECONDS = 5.0
"""How often the files are looked at."""
FETCH_SECONDS = 30.0
"""How often the lake is asked; each worker pays for a request."""
OpenedT = TypeVar("OpenedT", Histories, Catalogue, Forgotten)
Done = TypeVar("Done")


class FetchError(PersonalizationError):
    """The snapshots in the lake can't be fetched."""


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
        with locked(self._folder / FOLDER), ExitStack() as files:  # the next worker finds what this one has fetched
            for name in FILES:
                files.callback(self._bring, name, current.get(name, ""))  # each is called, also after an error

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
        if found.hexdigest() != digest:
            raise FetchError(f"{name} at {self._files} is incomplete or was altered. Train again, or load it again.")

    def _asked(self, url: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
        signed = {"Authorization": f"Bearer {self._bearer()}", "x-ms-version": VERSION, **(headers or {})}
        return _opened_url(url, headers=signed)

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
            with _opened_url(url, data=urlencode(form).encode()) as answer:
                given = json.load(answer)
            self._token, self._token_ends = given["access_token"], asked + float(given["expires_in"])
        return self._token


def _opened_url(url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    request = Request(url, data, dict(headers or {}))  # noqa: S310 - an address of the stack's own, or Entra ID's
    return cast(HTTPResponse, urlopen(request, timeout=TIMEOUT_SECONDS))  # noqa: S310 - as above


class Following:
    """The snapshots in a folder, which a lake may fill, for a model's recommender, and the users who were forgotten."""

    def __init__(self, folder: Path, model: ServedModel, sink: LogSink, lake: Lake | None, lookups: Lookups) -> None:
        """Opens nothing yet: there are the `lookups` of a service without snapshots."""
        items = [] if model.recommender is None else model.recommender.items
        fields = model.bundle.schema.fields
        self._model = model
        self._lake = lake
        self._fetched = -FETCH_SECONDS
        self._not_fetched = _Problem("snapshots not fetched", sink)
        self._forgotten = _Followed(folder.parent / FORGOTTEN, lambda file: Forgotten.decode(file.read_bytes()), sink)
        self._histories = _Followed(folder / histories.FILE, lambda file: Histories(file, items), sink)
        self._catalogue = _Followed(folder / catalogue.FILE, lambda file: Catalogue(file, items, fields), sink)
        self._new: Comparison | None = None
        self._no_new = _Problem("new items not found", sink)
        self._looked = time.monotonic()
        self._opening: asyncio.Task[None] | None = None
        self.lookups = lookups
        """The current snapshots."""

    def follow(self) -> None:
        """Open changed files in a thread if it is time to look; called in the event loop."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS or (self._opening is not None and not self._opening.done()):
            return
        self._looked = now
        self._opening = asyncio.get_running_loop().create_task(self.refresh())

    async def refresh(self) -> None:
        """Fetch and open what has changed; what can't be fetched or opened is logged, and stays as it was."""
        if self._lake is not None and time.monotonic() - self._fetched >= FETCH_SECONDS:
            await self._not_fetched.of(asyncio.to_thread(self._lake.fetch))
            self._fetched = time.monotonic()
        await self._forgotten.refresh()
        changed = [await self._histories.refresh(), await self._catalogue.refresh()]
        if any(changed) or self._no_new.told:
            self._new = await self._no_new.of(asyncio.to_thread(self._new_items))
        forgotten = self._who_is_forgotten()
        self.lookups = replace(
            self.lookups,
            histories=None if forgotten is None else self._histories.current,
            forgotten=forgotten or NOBODY,
            catalogue=self._catalogue.current,
            new=self._new,
        )

    def _who_is_forgotten(self) -> Forgotten | None:
        """Those on the list that was last read; None, so that nobody may be known, if there is one that can't be."""
        if self._forgotten.current is None and not self._forgotten.was_there:
            return NOBODY if self._lake is None or self._lake.has_no_list else None
        return self._forgotten.current

    def _new_items(self) -> Comparison | None:
        """The items of the catalogue that are new, for which the keys of all items are read."""
        found = self._catalogue.current
        if found is None or self._model.recommender is None:
            return None
        return Comparison.of_new(found, self._histories.current, self._model.compared_columns)


class _Problem:
    """Logs what goes wrong with one thing: once, until it goes right or something else goes wrong."""

    def __init__(self, event: str, sink: LogSink) -> None:
        self.told = ""
        self._event = event
        self._sink = sink

    async def of(self, work: Awaitable[Done], **fields: object) -> Done | None:
        """The result of `work`, None if it failed. Whatever the error is, what else there is to do is done."""
        try:
            result = await work
        except Exception as error:  # noqa: BLE001 - as above
            known = isinstance(error, PersonalizationError)
            before, self.told = self.told, str(error) if known else f"{type(error).__name__}: {error}"
            if self.told != before:
                self._sink.event(self._event, level="error", reason=self.told, **fields)
            return None
        self.told = ""
        return result


class _Followed(Generic[OpenedT]):
    """One file. Whatever happens to it, what was last opened stays in use."""

    def __init__(self, file: Path, open_: Callable[[Path], OpenedT], sink: LogSink) -> None:
        self.current: OpenedT | None = None
        self.was_there = False
        """Whether there has ever been such a file."""
        self._file = file
        self._open: Callable[[Path], OpenedT] = open_
        self._sink = sink
        self._not_opened = _Problem("snapshot not opened", sink)
        self._stamp: Stamp | None = None

    async def refresh(self) -> bool:
        """Open the file if it isn't the one that was opened last, in a thread, since that takes long.

        Returns whether it was opened; if it can't be, the next call tries it again. Requests may still hold the former
        one, which closes after them.
        """
        found = stamp(self._file)
        self.was_there |= found is not None
        if found == self._stamp:
            return False
        serving = None if self.current is None else self.current.version
        opened = await self._not_opened.of(asyncio.to_thread(self._open, self._file), serving=serving)
        if opened is None:
            return False
        self.current, self._stamp = opened, found
        self._sink.event("snapshot opened", file=self._file.name, version=opened.version)
        return True
