"""What recommendations are looked up in by key: the users' histories and the catalogue, each if there is one."""

from dataclasses import dataclass

from recommend.catalogue import Catalogue
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import Histories, Stored
from recommend.new_items import NewItems


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """The open snapshots, and the catalogue's new items."""

    histories: Histories | None = None
    forgotten: Forgotten = NOBODY
    """Users of whom nothing is told, though the histories may still have them."""
    catalogue: Catalogue | None = None
    new: NewItems | None = None
    places: int = 0
    """How many of the last places new items may take, unless a request says otherwise."""

    def find(self, user: str) -> Stored | None:
        """What is stored of a user, None if they are unknown or were forgotten; raises `SnapshotError`."""
        return None if self.histories is None or user in self.forgotten else self.histories.find(user)

    def texts(self, user: str, stored: Stored | None) -> dict[str, str]:
        """What a record says of a user of whom this is `stored`: the key may be a column, too.

        A record without the key is encoded like one with a key that training has never seen. So one who was forgotten
        is not found in the model either.
        """
        if self.histories is None or user in self.forgotten:
            return {}
        return {self.histories.user_column: user, **({} if stored is None else stored.columns)}
