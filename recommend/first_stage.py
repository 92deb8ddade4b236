"""The first stage of a recommender: who chose what decides which items are candidates. It is of one of two kinds, which
score all items for somebody whose choices are known, and who need not have been met in training.

Weights between items are largest where they predict a choice best. Factors are for more items: a vector that is solved
from a history scores all items by one product. Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback
Datasets, ICDM 2008. A choice is a 1 that counts `CONFIDENCE` times, and everything else a 0 that counts once. Given the
items' vectors, a user's is the solution of a linear system in the history alone (equation 4 there), and the scores are
sums over the history (section 5).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices, Mask, Numbers, Scores

Kinds = npt.NDArray[np.int8]
WEIGHTS_NAME = "weights between items"
"""What a report calls this kind of a first stage, which is also that of similarities."""
SIMILARITIES_NAME = "similarities of items"
OTHERS, WEIGHTS = "others.npy", "weights.npy"
LARGEST = 500
"""How many weights a row keeps. On MovieLens-100k, 200 cost 0.003 of NDCG@10 and 500 nothing."""
MOST_WEIGHTED_ITEMS = 10_000
"""The most items with weights: their matrix is inverted in a minute, in 1 GB of memory."""

FACTORS_NAME = "factors of items"
"""What a report calls this kind of a first stage."""
FACTORS, SETTINGS = "factors.npy", "factors.json"
DIMENSIONS = 64
MOST_FACTORED_ITEMS = 200_000
"""The most items with factors: 51 MB as numbers of 32 bits, which need no conversion when they are multiplied."""
CONFIDENCE = 5.0
STEPS = 1 << 10
"""Steps between 0 and the largest factor, to which the others are rounded: about as half precision does."""
ROWS_TOGETHER = 10_000
"""Factors that are converted at a time: 5 MB."""
REASONED = 300
"""The latest choices among which reasons are looked for."""
EXACT = 1 << 23
"""Sums of whole numbers are exact in 32 bits up to twice this, and rounding adds a little."""


@dataclass(frozen=True, kw_only=True)
class ItemWeights:
    """The largest weights of m items, k for each: the other item, uint16[m, k] ascending in a row, and its weight,
    float32[m, k].

    At most 30 MB. Weights of 16 bits would lose nothing, but to convert them takes longer than to add them up.
    """

    others: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.float32]

    @classmethod
    def cut(cls, dense: Numbers | Scores, largest: int = LARGEST) -> Self:
        """The `largest` weights of each row of `dense`, float[m, m], by magnitude."""
        kept = min(largest, dense.shape[1])
        others = np.empty((len(dense), kept), dtype=np.uint16)
        weights = np.empty((len(dense), kept), dtype=np.float32)
        for row, values in enumerate(dense):
            others[row] = np.sort(np.argpartition(-np.abs(values), kept - 1)[:kept])
            weights[row] = values[others[row]]
        return cls(others=others, weights=weights)

    def scores(self, history: Indices, counts: Numbers | None = None) -> Numbers:
        """The score of each item, float64[m], for somebody who chose the items `history`, int64[h], each named once,
        which count so much, float64[h], or 1.
        """
        others = self.others[history].ravel().astype(np.int64)  # `bincount` converts in three times the time
        weights = self.weights[history] if counts is None else self.weights[history] * counts[:, np.newaxis]
        scores = np.bincount(others, weights=weights.ravel(), minlength=len(self.others))
        return scores.astype(np.float64, copy=False)

    def is_alone(self, item: int) -> bool:
        """Whether no item goes with this one."""
        return not (self.weights[item] > 0).any()

    def reasons(self, history: Indices, best: Indices, most: int, least: Numbers | None = None) -> list[list[int]]:
        """For each of the items `best`, int64[b], the at most `most` items of `history` that add most to its score, if
        any do and the score is above the `least`, float64[b].
        """
        places = np.full(len(self.others), -1, dtype=np.int16)
        places[best] = np.arange(len(best))
        found = places[self.others[history]].ravel()
        at = np.flatnonzero(found >= 0)
        row, column = np.divmod(at, self.others.shape[1])
        added = self.weights[history[row], column]
        scores = np.bincount(found[at], added, len(best))
        adds = (added > 0) & (scores > (-np.inf if least is None else least))[found[at]]
        place, row, added = found[at][adds], row[adds], added[adds]
        order = np.lexsort((row, -added, place))
        sorted_places = place[order]
        order = order[np.arange(len(order)) - np.searchsorted(sorted_places, sorted_places) < most]
        reasons: list[list[int]] = [[] for _ in best]
        for which, item in zip(place[order].tolist(), history[row[order]].tolist(), strict=True):
            reasons[which].append(item)
        return reasons

    def likeness(self, items: Indices) -> Numbers:
        """How much the choice of one of the items, int64[b], speaks for that of another, float64[b, b], at most 1."""
        places = np.full(len(self.others), -1)
        places[items] = np.arange(len(items))
        columns = places[self.others[items]]
        rows, at = np.nonzero(columns >= 0)
        found = np.zeros((len(items),) * 2)
        found[rows, columns[rows, at]] = self.weights[items[rows], at]
        both = np.maximum(found + found.T, 0)
        return both / (both.max(initial=0.0) or 1.0)

    def save(self, folder: Path) -> None:
        """Write the arrays to files in `folder`."""
        np.save(folder / OTHERS, self.others)
        np.save(folder / WEIGHTS, self.weights)

    @classmethod
    def load(cls, folder: Path, items: int) -> Self:
        """The arrays in `folder`, mapped; raises `OSError`, or `ValueError` if they are not those of so many items."""
        others, weights = (np.asarray(np.load(folder / name, mmap_mode="r")) for name in (OTHERS, WEIGHTS))
        types = others.dtype == np.uint16 and weights.dtype == np.float32 and others.shape == weights.shape
        if not types or len(others) != items or others.max(initial=0) >= items:
            raise ValueError(f"{OTHERS} and {WEIGHTS} are not of {items} items")
        if not np.all(others[:, :-1] < others[:, 1:]):
            raise ValueError(f"{OTHERS} has a row whose items do not ascend")
        return cls(others=others, weights=weights)


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `SETTINGS`."""

    confidence: float
    regularisation: float
    of_each_choice: bool


@dataclass(frozen=True, kw_only=True)
class ItemFactors:
    """The vectors of m items, float32[m, k], whose numbers are multiples of a power of two.

    `regularisation` is the weight of a user's squared vector, for each item of the history with `of_each_choice`.

    Products with a vector of whole numbers have no rounding errors. So the order of sums, which depends on the
    processor, does not matter, and a service reproduces what training recommended.
    """

    factors: npt.NDArray[np.float32]
    regularisation: float
    of_each_choice: bool = False
    confidence: float = CONFIDENCE

    @classmethod
    def rounded(cls, factors: npt.NDArray[np.float32], regularisation: float, *, of_each_choice: bool = False) -> Self:
        """Those of fitted vectors, float32[m, k]."""
        step = _step(factors)
        exact = (np.round(factors.astype(np.float64) / step) * step).astype(np.float32)
        return cls(factors=exact, regularisation=regularisation, of_each_choice=of_each_choice)

    def scores(self, history: Indices, counts: Numbers | None = None) -> Numbers:
        """See `ItemWeights.scores`: one product of all items' vectors with the user's."""
        own = self.factors[history].astype(np.float64)
        each = np.ones(len(own)) if counts is None else counts
        user = np.linalg.solve(self._system(own, each), self.confidence * (each @ own))
        step = _power_of_two(float(np.linalg.norm(user)) * self._longest / EXACT)
        # In one thread, where a product by BLAS would take all cores, on each of which there is a worker.
        products = np.einsum("ij,j->i", self.factors, np.round(user / step).astype(np.float32))
        scores: Numbers = products.astype(np.float64) * step
        return scores

    def is_alone(self, item: int) -> bool:
        """See `ItemWeights.is_alone`."""
        return not self.factors[item].any()

    def reasons(self, history: Indices, best: Indices, most: int, least: Numbers | None = None) -> list[list[int]]:
        """See `ItemWeights.reasons`. An item is no reason for itself."""
        if not len(history):
            return [[] for _ in best]
        own = self.factors[history].astype(np.float64)
        added = self.factors[best] @ np.linalg.solve(self._system(own, np.ones(len(own))), own.T)
        if least is not None:
            added[self.confidence * added.sum(axis=1) <= least] = 0
        added[best[:, None] == history] = 0
        rows = np.arange(len(best))
        reasons: list[list[int]] = [[] for _ in best]
        for _ in range(min(most, len(history))):  # of equal ones the first, where `argpartition` takes any
            place = added.argmax(axis=1)
            for row in np.flatnonzero(added[rows, place] > 0).tolist():
                reasons[row].append(int(history[place[row]]))
            added[rows, place] = -np.inf
        return reasons

    def likeness(self, items: Indices) -> Numbers:
        """See `ItemWeights.likeness`: the cosine of their vectors, 0 if it is less."""
        own = self.factors[items].astype(np.float64)
        directions = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), np.finfo(float).tiny)
        cosines: Numbers = np.einsum("ij,kj->ik", directions, directions)
        return np.maximum(cosines, 0)

    def save(self, folder: Path) -> None:
        """Write the vectors and their settings to files in `folder`."""
        settings = _Settings(
            confidence=self.confidence, regularisation=self.regularisation, of_each_choice=self.of_each_choice
        )
        (folder / SETTINGS).write_bytes(msgspec.json.encode(settings))
        np.save(folder / FACTORS, self.factors)

    @classmethod
    def load(cls, folder: Path, items: int) -> Self:
        """See `ItemWeights.load`; raises `msgspec.DecodeError` for other settings, too."""
        settings = msgspec.json.decode((folder / SETTINGS).read_bytes(), type=_Settings)
        factors = np.asarray(np.load(folder / FACTORS, mmap_mode="r"))
        if factors.dtype != np.float32 or factors.ndim != 2 or len(factors) != items:  # noqa: PLR2004 - a matrix
            raise ValueError(f"{FACTORS} is not of {items} items")
        return cls(
            factors=factors,
            regularisation=settings.regularisation,
            of_each_choice=settings.of_each_choice,
            confidence=settings.confidence,
        )

    @cached_property
    def _gram(self) -> Numbers:
        """The products of all factors, float64[k, k], summed over the items."""
        gram = np.zeros((self.factors.shape[1],) * 2)
        for start in range(0, len(self.factors), ROWS_TOGETHER):
            block = self.factors[start : start + ROWS_TOGETHER].astype(np.float64)
            gram += block.T @ block
        return gram

    @cached_property
    def _longest(self) -> float:
        """The length of the longest vector, in steps."""
        longest = np.sqrt(np.einsum("ij,ij->i", self.factors, self.factors).max(initial=0))
        return float(longest) / _step(self.factors)

    def _system(self, own: Numbers, counts: Numbers) -> Numbers:
        """The system of equations, float64[k, k], for a user who chose items with the vectors `own`, float64[h, k],
        each of which counts so much, float64[h].
        """
        regularisation = self.regularisation * (max(len(own), 1) if self.of_each_choice else 1)
        system: Numbers = self._gram + (self.confidence - 1) * (own.T @ (counts[:, np.newaxis] * own))
        system[np.diag_indices_from(system)] += regularisation
        return system


FirstStage = ItemWeights | ItemFactors
"""Any kind of a first stage."""


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """What makes the first stage's score: so many times the score by `others`, who chose the same, the user's `own`
    choices, and recent `popularity`.

    A choice counts half as one's own after so many more as `half_life`, and for what others chose after `recency`; 0 is
    never. One of a weaker kind counts `weaker` times one of the kind before it.
    """

    others: float = 1.0
    own: float = 0.0
    popularity: float = 0.0
    half_life: float = 0.0
    recency: float = 0.0
    weaker: float = 1.0


BY_OTHERS = Mix()
"""What others chose alone."""
OWN = Mix(others=0.0, own=1.0)
POPULAR = Mix(others=0.0, popularity=1.0)
"""The same for everybody."""


@dataclass(frozen=True, kw_only=True)
class Blend:
    """How first stages of m items are mixed: for users whom training met, and for others, `of_new`.

    `of_items`, float64[2, m], has recent popularity with a standard deviation of 1, and the scores by others of the
    average user. Without it there is no popularity, and reasons need not be above any score.
    """

    mix: Mix = BY_OTHERS
    of_new: Mix | None = None
    of_items: Numbers | None = None

    def of(self, *, new: bool) -> Mix:
        """The mix for a user."""
        return self.of_new if new and self.of_new is not None else self.mix

    def scores(self, stage: FirstStage, history: Indices, kinds: Kinds | None = None, *, new: bool = False) -> Numbers:
        """The first stage's score of each item, float64[m]. `history`, int64[h], has the latest choice last and an item
        as often as it was chosen; `kinds`, int8[h], are None where all are of the strongest one.
        """
        mix = self.of(new=new)
        if mix.others or self.of_items is None:
            items, counts = np.unique(history), None
            if mix.recency or kinds is not None:
                each = decays(len(history), mix.recency) * strengths(mix.weaker, kinds)
                order = np.lexsort((each, history))
                counts = each[order][last_of_each(history[order])]
            scores = stage.scores(items, counts)
            if mix.others != 1:
                scores *= mix.others
        else:
            scores = np.zeros(self.of_items.shape[1])
        if mix.own and len(history):
            own = decays(len(history), mix.half_life) * strengths(mix.weaker, kinds)
            scores += mix.own * np.bincount(history, own, minlength=len(scores))
        if mix.popularity and self.of_items is not None:
            scores += mix.popularity * self.of_items[0]
        return scores

    def reasons(
        self, stage: FirstStage, history: Indices, best: Indices, most: int, *, new: bool = False
    ) -> list[list[int]]:
        """For each of the items `best` the at most `most` items of the history that it is there for.

        What is recommended again is its own reason. Another item has reasons only if its score by others is above the
        average user's, who has none: a bestseller, which everybody gets, is there for nothing that this user chose.
        """
        mix = self.of(new=new)
        if mix.others and len(history):
            least = None if self.of_items is None else self.of_items[1, best]
            reasons = stage.reasons(np.unique(history), best, most, least)
        else:
            reasons = [[] for _ in best]
        if mix.own:
            known = {*history.tolist()}
            reasons = [[item] if item in known else own for item, own in zip(best.tolist(), reasons, strict=True)]
        return reasons


BY_OTHERS_ALONE = Blend()


def decays(count: int, half_life: float) -> Numbers:
    """What so many choices count, the latest last, float64[count]: half for each `half_life` later ones."""
    return np.exp2(-np.arange(count)[::-1] / half_life) if half_life else np.ones(count)


def last_of_each(*numbers: Indices | Numbers) -> Mask:
    """Which rows, bool[n], are the last ones with their sorted `numbers`, [n] each."""
    last = np.ones(len(numbers[0]), np.bool_)
    last[:-1] = np.any([own[1:] != own[:-1] for own in numbers], axis=0)
    return last


def strengths(weaker: float, kinds: Kinds | None) -> Numbers | float:
    """What choices of these kinds count, float64[h]; 1 where all are of one."""
    return 1.0 if kinds is None else weaker ** kinds.astype(np.float64)


def _step(factors: npt.NDArray[np.float32]) -> float:
    """The power of two that factors are multiples of, after they were rounded."""
    return _power_of_two(float(np.abs(factors).max(initial=0)) / STEPS)


def _power_of_two(least: float) -> float:
    """The smallest power of two that is at least `least`; 1 for 0."""
    return float(2.0 ** np.ceil(np.log2(least))) if least > 0 else 1.0
