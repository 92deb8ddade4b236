"""What is recommended to made-up people, for readers who judge it by eye."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recommend.arrays import Indices
from recommend.catalogue import read_rows
from recommend.recommender import Recommended, Recommender

LISTS, LENGTH = 10, 5
AMONG = 100
"""Histories begin with one of so many most popular items, which readers know."""


@dataclass(frozen=True, kw_only=True)
class ExampleList:
    """Titles of the items of a made-up history, and of what is recommended for it, each with the reason."""

    history: Sequence[str]
    items: Sequence[tuple[str, str]]


def example_lists(recommender: Recommender, catalogue: Path, seed: int) -> list[ExampleList]:
    """Lists for customers with a popular item and the one that goes best with it, no two for the same items, which are
    those of the `catalogue`.

    Raises `SnapshotError` if the catalogue cannot be read.
    """
    rows, layout = read_rows(catalogue)
    columns = {row.key: row.columns for row in rows}
    listed = np.array([key in columns for key in recommender.items])
    titles = [
        next((str(columns[key][name]) for name in layout.to_show if name in columns.get(key, ())), key)
        for key in recommender.items
    ]
    popular, absent = np.flatnonzero(listed)[:AMONG], np.flatnonzero(~listed)
    made: dict[frozenset[int], ExampleList] = {}
    for first in np.random.default_rng(seed).permutation(popular):
        if len(made) == LISTS:
            break
        own = np.array([first])
        partner = recommender.recommend(own, 1, np.concatenate([own, absent]))
        history: Indices = np.array([*(one.item for one in partner), first])
        found = recommender.recommend(history, LENGTH, absent)
        items = [(titles[one.item], _reason(one, history, titles)) for one in found]
        made[frozenset(history.tolist())] = ExampleList(history=[titles[item] for item in history], items=items)
    return [*made.values()]


def _reason(found: Recommended, history: Indices, titles: Sequence[str]) -> str:
    if found.item in history:
        return "They chose it before."
    named = " and ".join(titles[item] for item in found.because)
    return f"Because they chose {named}." if named else "Many chose it."
