"""The encoder's rates and log counts from counts, by hand, and how many rows a value needs to have its own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.encoder import Encoder
from features.schema import Schema
from training.kernels.encode import MIN_POOLED_VALUES, FoldEncoder, FrequentValues, smoothed_rate, thresholds
from training.parameters import TrainingParameters


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=30), st.floats(0, 100))
def test_a_smoothed_rate_lies_between_the_values_own_rate_and_the_average(
    drawn: list[tuple[int, int]], smoothing: float
) -> None:
    clicks, more = np.reshape(drawn, (-1, 2)).astype(np.int64).T
    rows, average = clicks + more, np.array([0.25])
    rate = smoothed_rate(clicks, rows, average=average, smoothing=smoothing).astype(np.float64)
    own = np.where(rows > 0, clicks / np.maximum(rows, 1), average)
    assert (rate >= np.minimum(own, average) - 1e-6).all()
    assert (rate <= np.maximum(own, average) + 1e-6).all()


def encoder() -> Encoder:
    """A value with 40 of 44 rows and a pool of the others, a value of a second column, and a column without any."""
    values = FrequentValues(
        column=np.array([0, 1], dtype=np.int16),
        hash=np.array([1, 1]),
        rows=np.array([[40], [44]]),
        clicks=np.array([[10], [13]]),
        rare_rows=np.array([[4], [0], [0]]),
        rare_clicks=np.array([[3], [0], [0]]),
    )
    schema = Schema(numeric=(), categorical=("city", "device", "empty"))
    return FoldEncoder.of(values, schema, TrainingParameters(smoothing=4.0)).encoder


def test_frequent_values_are_encoded_by_their_own_counts_and_rare_ones_by_the_pool() -> None:
    found = encoder()
    rate, log_count = found.lookup(0, found.place(0, np.array([1, 2, 3, 99])))
    average = 13 / 44
    shared = np.float32((3 + 4 * average) / (4 + 4))
    assert rate.tolist() == [np.float32((10 + 4 * average) / 44), shared, shared, shared]
    assert log_count.tolist() == [np.float32(np.log1p(40)), 0.0, 0.0, 0.0]


def test_a_column_that_was_never_counted_is_encoded_as_zero() -> None:
    found = encoder()
    rate, log_count = found.lookup(2, found.place(2, np.array([1])))
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
