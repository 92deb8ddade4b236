"""Listings of containers, from a stand-in for the SDK's client."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from azure_clients.containers import MOST_ENTRIES, _files
from azure_clients.lake import FOLDER
from training.datasets.placed.listing import Address

EVENTS = Address("shoplake", "events", "clicks")


@dataclass(eq=False)
class Entry:
    """What the SDK has of a blob or folder."""

    name: str
    metadata: dict[str, str] | None = None
    size: int = 1
    etag: str = '"0x8D"'


@dataclass
class Container:
    """Lists `entries` without end, and counts how many of them are held at a time."""

    held: "weakref.WeakSet[Entry]" = field(default_factory=weakref.WeakSet)
    most: int = 0
    asked: dict[str, Any] = field(default_factory=dict)

    def list_blobs(self, **asked: Any) -> Iterator[Entry]:
        self.asked = asked
        number = 0
        while True:
            yield self._entry(number)
            number += 1

    def _entry(self, number: int) -> Entry:
        entry = Entry(f"clicks/day={number}", {FOLDER: "true"}) if number % 2 else Entry(f"clicks/{number}.parquet")
        self.held.add(entry)
        self.most = max(self.most, len(self.held))
        return entry


def test_a_listing_without_end_is_read_in_bounded_steps_and_its_entries_are_let_go() -> None:
    container = Container()
    gc.disable()
    try:
        files = _files(cast("Any", container), EVENTS)
    finally:
        gc.enable()
    assert len(files) == MOST_ENTRIES // 2
    assert files[1].name == "clicks/2.parquet"
    assert files[1].etag == "0x8D"
    assert container.asked["name_starts_with"] == "clicks/"
    assert container.most <= 2
