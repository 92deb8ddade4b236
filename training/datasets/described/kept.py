"""How many interactions have their user and item in the tables, and why others are dropped."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from training.datasets.described.spec import TablesSpec

READ, ROWS = "read", "rows"


def counted(known: Mapping[str, npt.NDArray[np.bool_]], rows: int) -> Counter[str]:
    """Of so many interactions, those that are `READ` and those whose row is missing in each table: `known`, bool[n],
    says by table which have one.
    """
    return Counter({READ: rows} | {_unknown(table): int((~own).sum()) for table, own in known.items()})


def kept(found: Mapping[str, int], spec: TablesSpec) -> str:
    """How many rows were read and kept, and why the others were dropped, in a sentence; "" where all are kept as they
    are, since no table is joined.
    """
    if not spec.one_row_per:
        return joined(found, spec)
    events, known = f"{found[READ]:,} events make {found[ROWS]:,} rows", _known(spec)
    return f"{events} with a known {known}{dropped(found)}" if known else events


def joined(found: Mapping[str, int], spec: TablesSpec, first: str = "") -> str:
    """The same of interactions or events, before these make rows; `first` is "the first " if others were not read."""
    known = _known(spec)
    text = f"{found[ROWS]:,} of {first}{found[READ]:,} interactions have a known {known}{dropped(found)}"
    return text if known else ""


def dropped(found: Mapping[str, int]) -> str:
    """The end of a sentence with the reasons; "" if nothing was dropped."""
    reasons = [
        f"{count:,} whose {table.removesuffix('s')} is not in the table of {table}"
        for table in ("users", "items")
        if (count := found.get(_unknown(table), 0))
    ]
    return f"; dropped: {', '.join(reasons)}" if reasons else ""


def _known(spec: TablesSpec) -> str:
    return " and ".join(table.removesuffix("s") for table in spec.joined)


def _unknown(table: str) -> str:
    return f"unknown {table}"
