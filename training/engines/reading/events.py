"""Events that make one row: it has the first one's time and columns, and is a click if one of them is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from training.kernels.tables import TypedTable

Numbers = npt.NDArray[np.int64]
Values = TypeVar("Values")


@dataclass(frozen=True, kw_only=True)
class FirstEvents:
    """The events of a part of the interactions that are the first of their row: their `places` in the part, int64[m]
    ascending, and the rows' `label`, int8[m].
    """

    places: Numbers
    label: npt.NDArray[np.int8]

    def among(self, blocks: Iterable[TypedTable]) -> Iterator[TypedTable]:
        """The first events in the part's blocks, with the label of their row."""
        start = 0
        for block in blocks:
            end = start + len(_required(block.label))
            own = slice(*np.searchsorted(self.places, [start, end]))
            yield block.of(self.places[own] - start, self.label[own])
            start = end


def first_events(parts: Sequence[Iterable[TypedTable]]) -> list[FirstEvents]:
    """The first events of the rows in each of these parts: the earliest, and of several at one time the first one read.

    This holds 25 bytes for each event of all parts, and as much again while it sorts them.
    """
    heads = [[_head(block) for block in part] for part in parts]
    ends = np.cumsum([sum(len(key) for key, _, _ in part) for part in heads])
    key, time, label = (
        np.concatenate([np.empty(0, kind), *(head[place] for part in heads for head in part)])
        for place, kind in enumerate((np.int64, np.int64, np.int8))
    )
    order = np.lexsort((time, key))  # which keeps the order of equal ones
    starts = np.flatnonzero(np.diff(key[order], prepend=key[order[:1]] - 1))
    first, clicked = order[starts], np.maximum.reduceat(label[order], starts)
    by_place = np.argsort(first)
    first, clicked = first[by_place], clicked[by_place]
    cuts = np.searchsorted(first, ends[:-1])
    places = zip(np.split(first, cuts), np.split(clicked, cuts), [0, *ends[:-1]], strict=True)
    return [FirstEvents(places=own - start, label=labels) for own, labels, start in places]


def _head(block: TypedTable) -> tuple[Numbers, Numbers, npt.NDArray[np.int8]]:
    """Row key, time and label of each event; without times all are alike."""
    key = _required(block.row_key)
    return key, np.zeros(len(key), np.int64) if block.time is None else block.time, _required(block.label)


def _required(values: Values | None) -> Values:
    if values is None:
        raise ValueError("interactions have labels, and where events make rows, keys of these")
    return values
