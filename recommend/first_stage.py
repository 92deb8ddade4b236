"""The first stage of a recommender: who chose what decides which items are candidates. Two kinds implement it."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices


class FirstStage(Protocol):
    """Scores all m items for somebody whose choices are known, and who need not have been met in training."""

    def scores(self, history: Indices) -> npt.NDArray[np.float64]:
        """The score of each item, float64[m], for somebody who chose the items `history`, int64[h], each named once."""
        ...

    def reasons(self, history: Indices, best: Indices, most: int) -> list[list[int]]:
        """For each of the items `best`, the at most `most` items of `history` that add most to its score, if any do."""
        ...

    def save(self, folder: Path) -> None:
        """Write the arrays to files in `folder`."""
        ...

    @classmethod
    def load(cls, folder: Path, items: int) -> Self:
        """The arrays in `folder`, mapped; raises `OSError`, or `ValueError` if they are not those of so many items."""
        ...
