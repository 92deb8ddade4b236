"""Opens the snapshots beside the model, and follows their replacement without delaying a request."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from features.errors import PersonalizationError
from features.files import Stamp, stamp
from recommend import catalogue, histories
from recommend.catalogue import Catalogue
from recommend.histories import Histories
from recommend.new_items import NewItems
from recommend.stored import SnapshotError
from scoring.model.lookups import Lookups
from scoring.model.model import ServedModel
from scoring.worker.fetching import Lake
from scoring.worker.logs import LogSink

LOOK_SECONDS = 5.0
"""How often the files are looked at."""
FETCH_SECONDS = 30.0
"""How often the lake is asked; each worker pays for a request."""
SnapshotT = TypeVar("SnapshotT", Histories, Catalogue)


class Following:
    """The snapshots in a folder, which a lake may fill, for a model's recommender."""

    def __init__(self, folder: Path, model: ServedModel, places: int, sink: LogSink, lake: Lake | None) -> None:
        """Opens nothing yet. New items may take so many `places`."""
        items = [] if model.recommender is None else model.recommender.items
        fields = model.bundle.schema.fields
        self._columns, self._places = model.compared_columns, places
        self._lake = lake
        self._sink = sink
        self._fetched = -FETCH_SECONDS
        self._complaint = ""
        self._histories = _Followed(folder / histories.FILE, lambda file: Histories(file, items), sink)
        self._catalogue = _Followed(folder / catalogue.FILE, lambda file: Catalogue(file, items, fields), sink)
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
            self._complain(await asyncio.to_thread(_fetched, self._lake))
            self._fetched = time.monotonic()
        changed = [await self._histories.refresh(), await self._catalogue.refresh()]
        if any(changed):
            self.lookups = await self._together()

    async def _together(self) -> Lookups:
        """The current snapshots with the new items, for which a thread reads the keys of all items."""
        histories, catalogue = self._histories.current, self._catalogue.current
        new = None
        if catalogue is not None:
            try:
                new = await asyncio.to_thread(NewItems.of, catalogue, histories, self._columns)
            except SnapshotError as error:
                self._sink.event("new items not found", level="error", reason=str(error))
        return Lookups(histories=histories, catalogue=catalogue, new=new, places=self._places)

    def _complain(self, complaint: str) -> None:
        """Log why the lake gives no snapshots, once for each reason; empty if it does."""
        if complaint and complaint != self._complaint:
            self._sink.event("snapshots not fetched", level="error", reason=complaint)
        self._complaint = complaint


def _fetched(lake: Lake) -> str:
    """Why the snapshots could not be fetched, empty if they were. Nothing here is logged: this is another thread."""
    try:
        lake.fetch()
    except PersonalizationError as error:
        return str(error)
    return ""


class _Followed(Generic[SnapshotT]):
    """One file. Whatever happens to it, the last snapshot that could be opened stays in use."""

    def __init__(self, file: Path, open_: Callable[[Path], SnapshotT], sink: LogSink) -> None:
        self.current: SnapshotT | None = None
        self._file = file
        self._open: Callable[[Path], SnapshotT] = open_
        self._sink = sink
        self._stamp: Stamp | None = None

    async def refresh(self) -> bool:
        """Open the file again if it has changed, in a thread, since that takes long; returns whether it did."""
        if not self._changed():
            return False
        self._take(await asyncio.to_thread(self._opened))
        return True

    def _changed(self) -> bool:
        """Whether the file has changed since the last call, so that each change is reported once."""
        before, self._stamp = self._stamp, stamp(self._file)
        return self._stamp != before

    def _opened(self) -> SnapshotT | SnapshotError:
        """The snapshot in the file, or why it cannot be opened. Nothing here is logged: this may be another thread."""
        try:
            return self._open(self._file)
        except SnapshotError as error:
            return error

    def _take(self, found: SnapshotT | SnapshotError) -> None:
        """Use a snapshot from now on, and log it. Requests may still hold the former one, which closes after them."""
        if isinstance(found, SnapshotError):
            serving = None if self.current is None else self.current.version
            self._sink.event("snapshot not opened", level="error", reason=str(found), serving=serving)
        else:
            self.current = found
            self._sink.event("snapshot opened", file=self._file.name, version=found.version)
