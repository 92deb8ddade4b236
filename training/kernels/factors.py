"""Latent factors of two columns: counts of their values' pairs, and the vectors fitted to them.

The vectors are those of a biased matrix factorisation (Koren, Bell and Volinsky 2009, "Matrix factorization techniques
for recommender systems", equation 4): a click of a first value a with a second one b is predicted as m + c_a + c_b +
p_a * q_b. The deviations are shrunk means, and the factors fit by alternating least squares what those leave over.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from features.encoder import Encoder, Factors
from features.schema import Schema
from training.kernels.columns import CATEGORIES, FOLD, LABEL, matrix
from training.kernels.count import ValueCounts, count
from training.kernels.kernel import Kernel

FACTORS = 4
"""Factors per value, besides its deviation. More did not help on MovieLens-100k."""
RIDGE = 6.0
"""Ridge penalty of each value's least squares, in rows: values with few rows get factors near 0."""
SHRINKAGE = 10.0
"""Rows without deviation that are mixed into each value's rows."""
BIAS_SWEEPS, FACTOR_SWEEPS = 8, 10
"""Alternations between the two columns, for the deviations and for the factors."""
SPREAD = 0.1
"""Standard deviation of the random initial factors."""

Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
_PAIR = "pair"


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """Counts of pairs of values with a place in the encoder, ascending by pair, then fold.

    `first`, `second`, `fold`, `rows` and `clicks` int64[m]; `sizes` has the number of places of both columns.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    clicks: npt.NDArray[np.int64]
    sizes: tuple[int, int]

    @classmethod
    def of(cls, table: pa.Table, *, sizes: tuple[int, int]) -> "PairCounts":
        """The result of `pairs_counted` over all rows."""
        columns = [column.to_numpy() for column in table.sort_by([(_PAIR, "ascending"), (FOLD, "ascending")]).columns]
        pair, fold, rows, clicks = (column.astype(np.int64) for column in columns)
        first, second = np.divmod(pair, max(sizes[1], 1))
        return cls(first=first, second=second, fold=fold, rows=rows, clicks=clicks, sizes=sizes)

    def without(self, fold: int) -> "PairCounts":
        """The counts of the rows outside of a fold."""
        kept = self.fold != fold
        names = ("first", "second", "fold", "rows", "clicks")
        return PairCounts(**{name: getattr(self, name)[kept] for name in names}, sizes=self.sizes)


def pairs_counted(encoder: Encoder, schema: Schema, columns: tuple[int, int], *, folds: int) -> Kernel:
    """Counts the pairs of two columns' places in divided rows of `schema`, without values that have no place."""
    names = (_PAIR, FOLD, "rows", "clicks")
    return Kernel(
        columns=(LABEL, FOLD, CATEGORIES),
        schema=pa.schema([(name, pa.int32() if name == FOLD else pa.int64()) for name in names]),
        function=partial(_counted, encoder=encoder, width=len(schema.categorical), columns=columns, folds=folds),
        by=(_PAIR, FOLD),
    )


def _counted(
    batches: Iterable[pa.RecordBatch], *, encoder: Encoder, width: int, columns: tuple[int, int], folds: int
) -> Iterator[pa.RecordBatch]:
    found = []
    for batch in batches:
        label, fold, categories = batch.columns
        hashes = matrix(categories, width)
        first, second = (encoder.place(column, hashes[:, column]) for column in columns)
        others = encoder.places(columns[1])
        kept = (first < encoder.places(columns[0])) & (second < others)
        clicked = label.to_numpy()[kept] == 1
        found.append(count(first[kept] * others + second[kept], clicked, fold.to_numpy()[kept], number=folds))
    if not found:
        return
    table = ValueCounts.merge(found)
    pair, fold = np.nonzero(table.rows)
    counted = [table.hash[pair], fold.astype(np.int32), table.rows[pair, fold], table.clicks[pair, fold]]
    yield pa.RecordBatch.from_arrays([pa.array(column) for column in counted], names=[_PAIR, FOLD, "rows", "clicks"])


def fit(pairs: PairCounts, columns: tuple[int, int], *, seed: int) -> Factors:
    """Fit the factors of the encoder's two `columns` to these pairs; `seed` draws the initial ones.

    A vector has `FACTORS` + 2 numbers: (m + c_a, 1, p_a) of a first value and (1, c_b, q_b) of a second one, so that
    their product is the prediction. That of a value without a place has no deviation and no factor.
    """
    average = pairs.clicks.sum() / max(int(pairs.rows.sum()), 1)
    own, other = _deviations(pairs, average)
    left_over = pairs.clicks - pairs.rows * (average + own[pairs.first] + other[pairs.second])
    place = (pairs.first, pairs.second)
    seen = sparse.csr_matrix((pairs.rows.astype(np.float64), place), shape=pairs.sizes)
    wanted = sparse.csr_matrix((left_over, place), shape=pairs.sizes)
    by_second = seen.T.tocsr(), wanted.T.tocsr()
    second = np.random.default_rng(seed).normal(0, SPREAD, (pairs.sizes[1], FACTORS))
    for _ in range(FACTOR_SWEEPS):
        first = _least_squares(seen, wanted, second)
        second = _least_squares(*by_second, first)
    return Factors(
        columns=columns,
        first=_with_unseen(np.column_stack([average + own, np.ones(len(own)), first]), [average, 1]),
        second=_with_unseen(np.column_stack([np.ones(len(other)), other, second]), [1, 0]),
    )


def _deviations(pairs: PairCounts, average: float) -> tuple[Numbers, Numbers]:
    """The deviations of both columns' values from the average, float64[v] and float64[w]."""
    sizes = pairs.sizes
    own, other = np.zeros(sizes[0]), np.zeros(sizes[1])
    rows = [
        np.bincount(place, pairs.rows, size) for place, size in zip((pairs.first, pairs.second), sizes, strict=True)
    ]
    above = pairs.clicks - pairs.rows * average
    for _ in range(BIAS_SWEEPS):
        other = np.bincount(pairs.second, above - pairs.rows * own[pairs.first], sizes[1]) / (rows[1] + SHRINKAGE)
        own = np.bincount(pairs.first, above - pairs.rows * other[pairs.second], sizes[0]) / (rows[0] + SHRINKAGE)
    return own, other


def _least_squares(seen: sparse.csr_matrix, wanted: sparse.csr_matrix, others: Numbers) -> Numbers:
    """The factors of one column's values, float64[v, k], given those of the other's, float64[w, k].

    `seen` and `wanted`, [v, w], have each pair's row count and its rows' summed residuals.
    """
    width = others.shape[1]
    squares = (others[:, :, None] * others[:, None, :]).reshape(len(others), width * width)
    normal = (seen @ squares).reshape(-1, width, width) + RIDGE * np.eye(width)
    solved: Numbers = np.linalg.solve(normal, (wanted @ others)[:, :, None])[:, :, 0]
    return solved


def _with_unseen(vectors: Numbers, unseen: list[float]) -> Vectors:
    last = np.append(unseen, np.zeros(FACTORS))
    return np.vstack([vectors, last]).astype(np.float32)
