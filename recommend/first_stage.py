"""The first stage of a recommender: who chose what decides which items are candidates.

It is weights between items, which are largest where they predict a choice best. They score all items for somebody whose
choices are known, and who need not have been met in training.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices, Mask, Numbers, Scores

Kinds = npt.NDArray[np.int8]
STARTS, OTHERS, WEIGHTS = FILES = "starts.npy", "others.npy", "weights.npy"
LARGEST = 500
"""How many weights a row keeps. On MovieLens-100k, 200 cost 0.003 of NDCG@10 and 500 nothing."""
MOST_ITEMS = 1_000_000
"""The most items that are recommended: their weights take 400 MB at most."""
REASONED = 300
"""The latest choices among which reasons are looked for."""


@dataclass(frozen=True, kw_only=True)
class ItemWeights:
    """The largest weights of m items, `LARGEST` of each at most.

    The row of an item, which tells what it adds to others, goes from its place in `starts`, int64[m + 1], to the next
    one: the other items, uint32[n] ascending, and their weights, float32[n].

    Rows are as long as they need to be, since few items go with many others.
    """

    starts: Indices
    others: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.float32]

    @classmethod
    def cut(cls, dense: Numbers | Scores, largest: int = LARGEST) -> Self:
        """The `largest` weights of each row of `dense`, float[m, m], by magnitude; zeros are none."""
        kept, others, weights = min(largest, dense.shape[1]), [], []
        for values in dense:
            found = np.sort(np.argpartition(-np.abs(values), kept - 1)[:kept])
            others.append(found[values[found] != 0].astype(np.uint32))
            weights.append(values[others[-1]].astype(np.float32))
        starts = np.cumsum([0, *map(len, others)])
        return cls(starts=starts, others=np.concatenate(others), weights=np.concatenate(weights))

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.starts) - 1

    def _rows(self, items: Indices) -> tuple[Indices, Indices]:
        """The places of these items' weights, int64[w], and for each of them which of the items, int64[b], it is of."""
        lengths = self.starts[items + 1] - self.starts[items]
        of = np.repeat(np.arange(len(items)), lengths)
        return np.arange(len(of)) + (self.starts[items] - np.cumsum(lengths) + lengths)[of], of

    def scores(self, history: Indices, counts: Numbers | None = None) -> Numbers:
        """The score of each item, float64[m], for somebody who chose the items `history`, int64[h], each named once,
        which count so much, float64[h], or 1.
        """
        at, of = self._rows(history)
        weights = self.weights[at] if counts is None else self.weights[at] * counts[of]
        scores = np.bincount(self.others[at].astype(np.int64), weights, self.items)
        return scores.astype(np.float64, copy=False)

    def is_alone(self, item: int) -> bool:
        """Whether no item goes with this one."""
        return not (self.weights[self.starts[item] : self.starts[item + 1]] > 0).any()

    def reasons(self, history: Indices, best: Indices, most: int, least: Numbers | None = None) -> list[list[int]]:
        """For each of the items `best`, int64[b], the at most `most` items of `history` that add most to its score, if
        any do and the score is above the `least`, float64[b].
        """
        at, row = self._rows(history)
        place, at, row = self._among(best, at, row)
        added = self.weights[at]
        scores = np.bincount(place, added, len(best))
        adds = (added > 0) & (scores > (-np.inf if least is None else least))[place]
        place, row, added = place[adds], row[adds], added[adds]
        order = np.lexsort((row, -added, place))
        sorted_places = place[order]
        order = order[np.arange(len(order)) - np.searchsorted(sorted_places, sorted_places) < most]
        reasons: list[list[int]] = [[] for _ in best]
        for which, item in zip(place[order].tolist(), history[row[order]].tolist(), strict=True):
            reasons[which].append(item)
        return reasons

    def _among(self, items: Indices, at: Indices, of: Indices) -> tuple[Indices, Indices, Indices]:
        """Those weights that add to one of the `items`: which one, their places, and what they are `of`."""
        order = np.argsort(items)
        found = np.searchsorted(items, self.others[at], sorter=order)
        place = order[np.minimum(found, len(items) - 1)] if len(items) else found
        is_there = items[place] == self.others[at] if len(items) else np.zeros(len(at), np.bool_)
        return place[is_there], at[is_there], of[is_there]

    def likeness(self, items: Indices) -> Numbers:
        """How much the choice of one of the items, int64[b], speaks for that of another, float64[b, b], at most 1."""
        columns, at, rows = self._among(items, *self._rows(items))
        found = np.zeros((len(items),) * 2)
        found[rows, columns] = self.weights[at]
        both = np.maximum(found + found.T, 0)
        return both / (both.max(initial=0.0) or 1.0)

    def save(self, folder: Path) -> None:
        """Write the arrays to files in `folder`."""
        np.save(folder / STARTS, self.starts)
        np.save(folder / OTHERS, self.others)
        np.save(folder / WEIGHTS, self.weights)

    @classmethod
    def load(cls, folder: Path, items: int) -> Self:
        """The arrays in `folder`, mapped; raises `OSError`, or `ValueError` if they are not those of so many items."""
        starts, others, weights = (np.asarray(np.load(folder / name, mmap_mode="r")) for name in FILES)
        if starts.dtype != np.int64 or others.dtype != np.uint32 or weights.dtype != np.float32:
            raise ValueError(f"{', '.join(FILES)} are of other types")
        lengths = np.diff(starts)
        if len(lengths) != items or lengths.min(initial=0) < 0 or others.max(initial=0) >= max(items, 1):
            raise ValueError(f"{', '.join(FILES)} are not of {items} items")
        if starts[0] != 0 or starts[-1] != len(others) or others.shape != weights.shape:
            raise ValueError(f"{', '.join(FILES)} do not fit each other")
        ascends = others[:-1] < others[1:]
        ascends[starts[(starts > 0) & (starts < len(others))] - 1] = True
        if not ascends.all():
            raise ValueError(f"{OTHERS} has a row whose items do not ascend")
        return cls(starts=starts, others=others, weights=weights)


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

    def scores(self, stage: ItemWeights, history: Indices, kinds: Kinds | None = None, *, new: bool = False) -> Numbers:
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
        self, stage: ItemWeights, history: Indices, best: Indices, most: int, *, new: bool = False
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
