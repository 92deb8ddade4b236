"""What recommendations are looked up in by key: the users' histories and the catalogue, each if there is one."""

from dataclasses import dataclass

from recommend.catalogue import Catalogue
from recommend.histories import Histories
from recommend.new_items import NewItems


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """The open snapshots, and the catalogue's new items."""

    histories: Histories | None = None
    catalogue: Catalogue | None = None
    new: NewItems | None = None
    places: int = 0
    """How many of the last places new items may take, unless a request says otherwise."""
