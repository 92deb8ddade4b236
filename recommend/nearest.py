"""Items that were chosen by the same users, and weights from each item's nearest ones where there is no memory for all
pairs.

H. Steck, "Markov Random Fields for Collaborative Filtering", NeurIPS 2019, https://arxiv.org/abs/1910.09645: with the
Gram matrix G of the choices and its diagonal d, the k nearest items of item j are those with the largest
G_ij / sqrt(d_i d_j). Their weights w solve (G_NN + lambda D) w = G_Nj, where D is diagonal with d_i^a. From all other
items they are those of EASE.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from recommend.arrays import Indices, Numbers, Scores
from recommend.first_stage import LARGEST, ItemWeights
from recommend.interactions import Interactions, Matrix

MOST_PAIRED_ITEMS = 10_000
"""The most items whose weights are from all pairs: their matrix is inverted in a minute, in 1 GB of memory."""
LATEST = 500
"""The choices of a user that count where there are more items: the time grows with the square of them."""
PAIRS_TOGETHER = 20_000_000
"""Pairs of choices that are counted at a time, some 300 MB."""
ITEMS_TOGETHER = 64
"""Items whose systems of equations are solved in one call."""
KEPT = 300
"""Counts with other items that are kept of each one. With 50 nearest items, all counts gave the same NDCG@10."""
RAISED = 4.0
"""By how much the penalty rises where a system has no solution, since counts of it are missing."""

Measure = Callable[[Indices, int, Numbers], Numbers]
"""How near other items, int64[n], are to an item, by how many users chose both, float64[n]."""
Places = npt.NDArray[np.int32]


class Setting(NamedTuple):
    """What weights are learned by: lambda, above 0, the exponent a of the choices that it grows with, and how many
    nearest items they are from, 0 for all.
    """

    regularisation: float
    scaling: float = 0.0
    nearest: int = 0

    def penalties(self, counts: Numbers) -> Numbers:
        """What is added to the diagonal for items with so many choices, float64[m]."""
        found: Numbers = self.regularisation * np.maximum(counts, 1) ** self.scaling
        return found


class Nearest(NamedTuple):
    """The nearest other items of one, int64[k], the nearest first, the `counts` of users who chose both, float64[k],
    and how near they are, float64[k].
    """

    items: Places
    counts: Numbers
    measures: Numbers


def has_all_pairs(items: int) -> bool:
    """Whether weights of so many items are from all pairs of them."""
    return items <= MOST_PAIRED_ITEMS


def paired(training: Interactions) -> Matrix:
    """The choices whose pairs are counted, [u, m]."""
    return (training if has_all_pairs(training.item_count) else training.latest(LATEST)).matrix()


def nearest(chosen: Matrix, most: int, measure: Measure) -> Iterator[Nearest]:
    """For each item, the at most `most` items that a measure above 0 finds nearest, from `chosen`, [u, m]."""
    by_item = chosen.T.tocsr()
    for start, end in _blocks(by_item @ np.diff(chosen.indptr)):
        both = by_item[start:end] @ chosen
        for item in range(start, end):
            own = slice(both.indptr[item - start], both.indptr[item - start + 1])
            items, counts = both.indices[own], both.data[own]
            measures = measure(items, item, counts)
            measures[items == item] = 0
            found = np.flatnonzero(measures > 0)
            if len(found) > most:
                found = found[np.argpartition(-measures[found], most - 1)[:most]]
            found = found[np.lexsort((items[found], -measures[found]))]
            yield Nearest(items[found], counts[found], measures[found])


def _blocks(pairs: Numbers) -> Iterator[tuple[int, int]]:
    """The first of the next items, and the one behind the last, that have about `PAIRS_TOGETHER` of so many pairs."""
    blocks = (np.cumsum(pairs) // PAIRS_TOGETHER).astype(np.int64)
    edges = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(pairs)]
    return pairwise(edges)


def cosine(counts: Numbers) -> Measure:
    """The cosine of two items with so many choices, float64[m], up to what is the same for all others."""
    roots = np.sqrt(np.maximum(counts, 1e-9))
    return lambda others, _item, both: both / roots[others]


def jaccard(counts: Numbers, further: float = 0.0) -> Measure:
    """The Jaccard index of the sets of users who chose two items, as if so many `further` ones chose one of the two."""
    return lambda others, item, both: both / (counts[others] + counts[item] - both + further)


def counts_of(chosen: Matrix) -> Numbers:
    """The diagonal of the Gram matrix, float64[m]: how often each item was chosen."""
    counts = np.bincount(chosen.indices, np.square(chosen.data), chosen.shape[1])
    return counts.astype(np.float64, copy=False)


def similar(chosen: Matrix, most: int = LARGEST, further: float = 0.0) -> ItemWeights:
    """The `most` largest similarities of each item, by `jaccard`."""
    others, weights = [np.empty(0, np.uint32)], [np.empty(0, np.float32)]
    for near in nearest(chosen, most, jaccard(counts_of(chosen), further)):
        order = np.argsort(near.items)
        others.append(near.items[order].astype(np.uint32))
        weights.append(near.measures[order].astype(np.float32))
    starts = np.cumsum([*map(len, others)])
    return ItemWeights(starts=starts, others=np.concatenate(others), weights=np.concatenate(weights))


class _Kept(NamedTuple):
    """The nearest other items of each of m items, the nearest first, int32[m + 1, k], and the counts of both,
    float32[m + 1, k]. The item with number m is none: it fills what is left of a row, and its own row.
    """

    items: Places
    counts: Scores

    @classmethod
    def of(cls, chosen: Matrix, most: int, measure: Measure) -> Self:
        """At most `most` for each item."""
        items = chosen.shape[1]
        most = min(most, max(items - 1, 1))
        kept = cls(np.full((items + 1, most), items, np.int32), np.zeros((items + 1, most), np.float32))
        for item, near in enumerate(nearest(chosen, most, measure)):
            kept.items[item, : len(near.items)] = near.items
            kept.counts[item, : len(near.items)] = near.counts
        return kept

    def both(self, items: Places, places: Places) -> Numbers:
        """How often each two of the `items`, int32[k], were chosen together, float64[k, k], if either kept it; 0 for an
        item and itself. `places`, int32[m + 1], has the number k for each item, before and after.
        """
        width = len(items)
        places[items] = np.arange(width)
        places[-1] = width
        found = np.zeros((width, width + 1))
        np.put_along_axis(found, places[self.items[items]], self.counts[items], axis=1)
        places[items] = width
        return np.maximum(found[:, :width], found[:, :width].T)


def ridge(chosen: Matrix, settings: Sequence[Setting]) -> Iterator[ItemWeights]:
    """The weights from each item's nearest ones by each of the settings, of which the last one is from the most, from
    `chosen`, [u, m].

    Which items were chosen together is looked up once for all settings: where one is by fewer nearest items, these are
    the first of more. Takes memory for `KEPT` counts of each item.
    """
    counts = counts_of(chosen)
    kept = _Kept.of(chosen, max(KEPT, *(one.nearest for one in settings)), cosine(counts))
    widths = [min(one.nearest or kept.items.shape[1], kept.items.shape[1]) for one in settings]
    found = [np.zeros((len(counts), width), np.float32) for width in widths]
    diagonal = np.append(counts, 1.0)
    places = np.full(len(diagonal), max(widths), np.int32)
    with threadpool_limits(1, user_api="blas"):
        for start in range(0, len(counts), ITEMS_TOGETHER):
            own = slice(start, min(start + ITEMS_TOGETHER, len(counts)))
            near = kept.items[own, : max(widths)]
            both = np.array([kept.both(one, places) for one in near])
            for setting, width, weights in zip(settings, widths, found, strict=True):
                counted = diagonal[near[:, :width]]
                targets = kept.counts[own, :width].astype(np.float64)
                weights[own] = _solved(both[:, :width, :width], counted, setting.penalties(counted), targets)
    for width, weights in zip(widths, found, strict=True):
        yield _from_columns(kept.items[:-1, :width], weights)


def _solved(both: Numbers, counts: Numbers, penalties: Numbers, targets: Numbers) -> Numbers:
    """The weights, float64[b, k], that solve b systems of equations."""
    systems = both.copy()
    diagonal = np.arange(systems.shape[1])
    systems[:, diagonal, diagonal] = counts + penalties
    try:
        np.linalg.cholesky(systems)
    except np.linalg.LinAlgError:
        if len(systems) > 1:
            each = (slice(at, at + 1) for at in range(len(systems)))
            return np.concatenate([_solved(both[one], counts[one], penalties[one], targets[one]) for one in each])
        return _solved(both, counts, RAISED * penalties, targets)
    solved: Numbers = np.linalg.solve(systems, targets[:, :, np.newaxis])[:, :, 0]
    return solved


def _from_columns(near: Places, weights: Scores) -> ItemWeights:
    """The largest weights of each item, from what the items `near`, int32[m, k], add to each, float32[m, k]."""
    items, width = weights.shape
    starts = np.arange(0, items * width + 1, width)
    rows = sparse.csc_matrix((weights.ravel(), near.ravel(), starts), shape=(items + 1, items)).tocsr()[:items]
    rows.eliminate_zeros()
    rows.sort_indices()
    kept = np.ones(rows.nnz, np.bool_)
    for item in np.flatnonzero(np.diff(rows.indptr) > LARGEST):
        own = slice(rows.indptr[item], rows.indptr[item + 1])
        kept[own][np.argpartition(-np.abs(rows.data[own]), LARGEST - 1)[LARGEST:]] = False
    others, starts = rows.indices[kept].astype(np.uint32), np.append(0, np.cumsum(kept))[rows.indptr]
    return ItemWeights(starts=starts, others=others, weights=rows.data[kept])


def as_matrix(weights: ItemWeights) -> Matrix:
    """The weights as a sparse matrix, float32[m, m]."""
    shape = (weights.items, weights.items)
    return sparse.csr_matrix((weights.weights, weights.others.astype(np.int32), weights.starts), shape)
