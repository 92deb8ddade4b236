"""Recommends items to somebody whose choices are known: what training writes and the service loads.

The files in a bundle's folder `recommend`: the items' keys, their weights as arrays that workers map into memory, and
golden requests, by which a service proves that it recommends as training did. Nothing in them is about a single user.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.bundle import BundleError
from recommend.arrays import Indices
from recommend.weights import ItemWeights

FOLDER = "recommend"
METRIC = "recommender"
"""The metric in a bundle's metadata that has training's judgement."""
FORMAT = 1
ITEMS, OTHERS, WEIGHTS, GOLDEN = "items.json", "others.npy", "weights.npy", "golden.json"
GOLDEN_REQUESTS = 20
GOLDEN_TOP = 10
"""How many items a golden request asks for."""
REASONS = 2
"""The most items of a history that are given as the reason for a recommendation."""


class Recommended(NamedTuple):
    """A recommended item and its score, by number, and the items of the history that it is recommended for."""

    item: int
    score: float
    because: list[int]


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """A made-up history and what training recommended for it, as keys of items."""

    history: list[str]
    items: list[str]
    scores: list[float]


class _Items(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `ITEMS`."""

    format: int
    items: list[str]


@dataclass(frozen=True, kw_only=True)
class Recommender:
    """The keys of m items, the most popular first, and the weights between them."""

    items: list[str]
    weights: ItemWeights

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each item by its key."""
        return {key: number for number, key in enumerate(self.items)}

    def recommend(self, history: Indices, top: int, excluded: Indices) -> list[Recommended]:
        """The best `top` items with their scores and reasons; neither the history nor the `excluded` items."""
        return self.explained(history, *self.best(history, top, np.union1d(history, excluded)))

    def best(self, history: Indices, top: int, excluded: Indices) -> tuple[Indices, npt.NDArray[np.float64]]:
        """The best `top` items, or all that are left, and their scores, for somebody who chose the items `history`.

        The history names each item once, and `top` is 1 at least. The `excluded` items are left out. Of items with
        equal scores the more popular one comes first.
        """
        scores = self.weights.scores(history)
        scores[excluded] = -np.inf
        last = max(len(scores) - top, 0)
        candidates = np.flatnonzero(scores >= np.partition(scores, last)[last])
        best = candidates[np.argsort(-scores[candidates], kind="stable")[:top]]
        best = best[np.isfinite(scores[best])]
        return best, scores[best]

    def explained(self, history: Indices, best: Indices, scores: npt.NDArray[np.float64]) -> list[Recommended]:
        """These items with their scores, and the reasons from the history."""
        reasons = self.weights.reasons(history, best, REASONS)
        return [Recommended(*one) for one in zip(best.tolist(), scores.tolist(), reasons, strict=True)]

    def golden(self, seed: int) -> list[Golden]:
        """Golden requests with random histories."""
        chance = np.random.default_rng(seed)
        made = []
        for _ in range(GOLDEN_REQUESTS):
            history = chance.permutation(len(self.items))[: chance.integers(1, 21)]
            found = self.recommend(history, GOLDEN_TOP, np.empty(0, np.int64))
            made.append(
                Golden(
                    history=[self.items[item] for item in history],
                    items=[self.items[one.item] for one in found],
                    scores=[one.score for one in found],
                )
            )
        return made

    def save(self, folder: Path, seed: int) -> None:
        """Write the files to the new folder `folder`; `seed` draws the golden requests."""
        folder.mkdir()
        (folder / ITEMS).write_bytes(msgspec.json.encode(_Items(format=FORMAT, items=self.items)))
        (folder / GOLDEN).write_bytes(msgspec.json.encode(self.golden(seed)))
        np.save(folder / OTHERS, self.weights.others)
        np.save(folder / WEIGHTS, self.weights.weights)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The recommender in `folder`, its weights mapped; raises `BundleError` if it cannot be used."""
        try:
            found = msgspec.json.decode((folder / ITEMS).read_bytes(), type=_Items)
            others, weights = (np.asarray(np.load(folder / name, mmap_mode="r")) for name in (OTHERS, WEIGHTS))
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise BundleError(f"The recommender in {folder} cannot be read: {error}. Train the model again.") from error
        if found.format != FORMAT:
            raise BundleError(
                f"The recommender in {folder} has format {found.format}, but this code reads format {FORMAT}. "
                "Train the model again with this code."
            )
        types = others.dtype == np.uint16 and weights.dtype == np.float16 and others.shape == weights.shape
        if not types or len(others) != len(found.items) or others.max(initial=0) >= len(found.items):
            raise BundleError(f"The files of the recommender in {folder} do not fit each other. Train the model again.")
        return cls(items=found.items, weights=ItemWeights(others=others, weights=weights))


def read_golden(folder: Path) -> list[Golden]:
    """The golden requests in a recommender's `folder`; raises `BundleError` if they cannot be read."""
    try:
        return msgspec.json.decode((folder / GOLDEN).read_bytes(), type=list[Golden])
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(f"{folder / GOLDEN} cannot be read: {error}. Train the model again.") from error
