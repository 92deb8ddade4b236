"""What recommendations are looked up in by key: the users' histories and the catalogue, each if there is one."""

from dataclasses import dataclass

from recommend.catalogue import Catalogue
from recommend.histories import Histories


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """The open snapshots."""

    histories: Histories | None = None
    catalogue: Catalogue | None = None
