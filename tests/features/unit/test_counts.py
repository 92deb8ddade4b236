from collections import defaultdict

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from features.encoder import MIN_POOLED_VALUES, Counts, derive_encoder, smoothed_rate, thresholds
from tests.support.pooled import pooled

Drawn = list[tuple[tuple[int, int, int], int]]
"""((column, hash, rows), clicks) of each entry."""
COLUMNS = ("city", "device", "empty")

entries = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-5, 5), st.integers(1, 50)).flatmap(
        lambda entry: st.tuples(st.just(entry), st.integers(0, entry[2]))
    ),
    max_size=30,
)


def counts_of(drawn: Drawn) -> Counts:
    """One entry per column and hash, ascending."""
    summed = defaultdict[tuple[int, int], npt.NDArray[np.int64]](lambda: np.zeros(2, dtype=np.int64))
    for (column, value, rows), clicks in drawn:
        summed[column, value] += (rows, clicks)
    keys = np.reshape(sorted(summed), (-1, 2)).astype(np.int64)
    sums = np.reshape([summed[key] for key in sorted(summed)], (-1, 2)).astype(np.int64)
    return Counts(column=keys[:, 0].astype(np.int16), hash=keys[:, 1], rows=sums[:, 0], clicks=sums[:, 1])


@given(entries, st.floats(0, 100))
def test_a_smoothed_rate_lies_between_the_values_own_rate_and_the_average(drawn: Drawn, smoothing: float) -> None:
    counts = counts_of(drawn)
    average = np.full(len(counts), 0.25)
    rate = smoothed_rate(counts.clicks, counts.rows, average=average, smoothing=smoothing).astype(np.float64)
    own = counts.clicks / np.maximum(counts.rows, 1)
    assert (rate >= np.minimum(own, average) - 1e-6).all()
    assert (rate <= np.maximum(own, average) + 1e-6).all()


def test_a_value_without_rows_has_the_average_rate() -> None:
    rate = smoothed_rate(np.array([0]), np.array([0]), average=np.array([0.25]), smoothing=0.0)
    assert rate.tolist() == [0.25]


def test_frequent_values_are_encoded_by_their_own_counts_and_rare_ones_by_the_pool() -> None:
    counts = counts_of([((0, 1, 40), 10), ((0, 2, 3), 3), ((0, 3, 1), 0), ((1, 1, 44), 13)])
    encoder = derive_encoder(pooled(counts, columns=3, min_category_rows=10), columns=COLUMNS, smoothing=4.0)
    rate, log_count = encoder.lookup(0, encoder.place(0, np.array([1, 2, 3, 99])))
    average = 13 / 44
    shared = np.float32((3 + 4 * average) / (4 + 4))
    assert rate.tolist() == [np.float32((10 + 4 * average) / 44), shared, shared, shared]
    assert log_count.tolist() == [np.float32(np.log1p(40)), 0.0, 0.0, 0.0]


def test_a_column_that_was_never_counted_is_encoded_as_zero() -> None:
    counts = counts_of([((0, 1, 40), 10)])
    encoder = derive_encoder(pooled(counts, columns=3, min_category_rows=10), columns=COLUMNS, smoothing=4.0)
    rate, log_count = encoder.lookup(2, encoder.place(2, np.array([1])))
    assert (rate.tolist(), log_count.tolist()) == ([0.0], [0.0])


@given(st.lists(st.integers(1, 60), max_size=50), st.integers(1, 20), st.integers(0, 60))
def test_an_encoder_has_place_for_so_many_values_and_takes_all_that_fit(
    rows: list[int], min_category_rows: int, max_values: int
) -> None:
    most = 40
    values = np.bincount(np.minimum(np.array(rows, dtype=np.int64), most), minlength=most + 1)
    values[0] = MIN_POOLED_VALUES  # there is a pool, whatever was drawn
    needed = int(thresholds(values[None], min_category_rows=min_category_rows, max_values=max_values)[0])

    def kept(needed: int) -> int:
        return sum(seen >= needed for seen in rows)

    assert needed >= min_category_rows
    assert kept(needed) <= max_values or needed > most
    assert needed == min_category_rows or kept(needed - 1) > max_values


def test_a_few_rare_values_are_no_pool() -> None:
    """Three new users and what they did would otherwise stand for every user that comes."""
    values = np.zeros((3, 20), dtype=np.int64)
    values[0, [2, 15]] = 99, 1000
    values[1, [2, 15]] = 100, 1000
    values[2, [9, 10]] = 60, 40
    assert thresholds(values, min_category_rows=10).tolist() == [1, 10, 1]
    assert thresholds(values, min_category_rows=3, max_values=1500).tolist() == [16, 16, 16]
