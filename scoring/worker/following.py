"""Opens the snapshots beside the model, and follows their replacement without delaying a request."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from features.errors import PersonalizationError
from features.files import Stamp, stamp
from recommend import catalogue, histories
from recommend.catalogue import Catalogue
from recommend.forgotten import FILE as FORGOTTEN
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import Histories
from recommend.new_items import NewItems
from scoring.model.lookups import Lookups
from scoring.model.model import ServedModel
from scoring.worker.fetching import Lake
from scoring.worker.logs import LogSink

LOOK_SECONDS = 5.0
"""How often the files are looked at."""
FETCH_SECONDS = 30.0
"""How often the lake is asked; each worker pays for a request."""
OpenedT = TypeVar("OpenedT", Histories, Catalogue, Forgotten)
Done = TypeVar("Done")


class Following:
    """The snapshots in a folder, which a lake may fill, for a model's recommender, and the users who were forgotten."""

    def __init__(self, folder: Path, model: ServedModel, places: int, sink: LogSink, lake: Lake | None) -> None:
        """Opens nothing yet. New items may take so many `places`."""
        items = [] if model.recommender is None else model.recommender.items
        fields = model.bundle.schema.fields
        self._recommends = model.recommender is not None
        self._columns, self._places = model.compared_columns, places
        self._lake = lake
        self._fetched = -FETCH_SECONDS
        self._not_fetched = _Problem("snapshots not fetched", sink)
        self._forgotten = _Followed(folder.parent / FORGOTTEN, lambda file: Forgotten.decode(file.read_bytes()), sink)
        self._histories = _Followed(folder / histories.FILE, lambda file: Histories(file, items), sink)
        self._catalogue = _Followed(folder / catalogue.FILE, lambda file: Catalogue(file, items, fields), sink)
        self._new: NewItems | None = None
        self._no_new = _Problem("new items not found", sink)
        self._looked = time.monotonic()
        self._opening: asyncio.Task[None] | None = None
        self.lookups = Lookups()
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
        self.lookups = Lookups(
            histories=None if forgotten is None else self._histories.current,
            forgotten=forgotten or NOBODY,
            catalogue=self._catalogue.current,
            new=self._new,
            places=self._places,
        )

    def _who_is_forgotten(self) -> Forgotten | None:
        """Those on the list that was last read; None, so that nobody may be known, if there is one that can't be."""
        if self._forgotten.current is None and not self._forgotten.was_there:
            return NOBODY if self._lake is None or self._lake.has_no_list else None
        return self._forgotten.current

    def _new_items(self) -> NewItems | None:
        """The items of the catalogue that are new, for which the keys of all items are read."""
        found = self._catalogue.current
        if found is None or not self._recommends:
            return None
        return NewItems.of(found, self._histories.current, self._columns)


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
            self._tell(
                str(error) if isinstance(error, PersonalizationError) else f"{type(error).__name__}: {error}", fields
            )
            return None
        self.told = ""
        return result

    def _tell(self, reason: str, fields: Mapping[str, object]) -> None:
        if reason != self.told:
            self._sink.event(self._event, level="error", reason=reason, **fields)
        self.told = reason


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
