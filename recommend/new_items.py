"""New items: those of the catalogue that nobody is known to have chosen or seen.

Weights between items say nothing about them, so known items speak for them that have the same values in a column.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices
from recommend.catalogue import Catalogue
from recommend.histories import Histories

SHRINKING = 5
"""Items with the average score that are added to those that have a value: otherwise one item would speak for it."""


@dataclass(frozen=True, kw_only=True)
class NewItems:
    """The n new items by their `numbers` in the catalogue, int64[n] ascending, and the values of items in all columns.

    The value at a place of `values`, int64[v], is one of the new item at the `place`, int64[v]; that in `known_values`,
    int64[k], is one of the recommender's item in `known`, int64[k].
    """

    numbers: Indices
    place: Indices
    values: Indices
    known: Indices
    known_values: Indices

    @classmethod
    def of(cls, catalogue: Catalogue, histories: Histories | None, columns: Iterable[str]) -> Self:
        """The new items of a catalogue, compared by those of the `columns` that it has.

        Raises `SnapshotError` if a file was altered.
        """
        unseen = catalogue.without(set() if histories is None else histories.items())
        numbers = np.setdiff1d(unseen, catalogue.numbers)
        new, known = [_NONE], [_NONE]
        first = 0
        for name in columns:
            if name in catalogue.layout.separators:
                starts, codes = catalogue.coded(name)
                new.append(_values_of(numbers, starts, codes + first))
                known.append(_values_of(catalogue.numbers, starts, codes + first))
                first += int(codes.max(initial=-1)) + 1
        place, values = np.concatenate(new, axis=1)
        items, known_values = np.concatenate(known, axis=1)
        return cls(numbers=numbers, place=place, values=values, known=items, known_values=known_values)

    def scores(self, known: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A score of each new item, float64[n], from the scores of the recommender's m items, float64[m].

        A value is worth as much as items that have it score above the average. The worths of an item's values are
        added, and divided by the root of their number, by which a sum varies.
        """
        items, roots = self._counts
        above = np.bincount(self.known_values, weights=(known - known.mean())[self.known], minlength=len(items))
        worth = above / (items + SHRINKING)
        return np.bincount(self.place, weights=worth[self.values], minlength=len(self.numbers)) / roots

    @cached_property
    def _counts(self) -> tuple[Indices, npt.NDArray[np.float64]]:
        """How many known items have each value, and the root of how many values each new item has."""
        values = int(max(self.values.max(initial=-1), self.known_values.max(initial=-1))) + 1
        own = np.bincount(self.place, minlength=len(self.numbers))
        return np.bincount(self.known_values, minlength=values), np.sqrt(np.maximum(own, 1))


_NONE = np.empty((2, 0), np.int64)


def _values_of(numbers: Indices, starts: Indices, codes: Indices) -> npt.NDArray[np.int64]:
    """The places in `numbers` of items of the catalogue, -1 for none, and the values that these have, int64[2, v]."""
    places = np.full(len(starts), -1)
    places[numbers] = np.arange(len(numbers))
    places[-1] = -1  # where numbers are -1
    place = np.repeat(places[:-1], np.diff(starts))
    has_one = place >= 0
    return np.stack([place[has_one], codes[has_one]])
