"""Histograms of what a model was trained on, and how far other rows have moved from them."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features.reference import (
    BINS,
    Histogram,
    column_values,
    stability_index,
)
from features.schema import Schema

FLOATS = arrays.arrays(np.float64, st.integers(0, 200), elements=st.floats(allow_nan=True, allow_infinity=True))


@given(FLOATS, FLOATS)
def test_every_row_is_in_exactly_one_bin(reference: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
    histogram = Histogram.of(reference)
    assert sum(histogram.rows) == len(reference)
    assert histogram.count(values).sum() == len(values)
    assert histogram.count(values)[-1] == np.isnan(values).sum()


@given(FLOATS)
def test_a_sample_has_not_moved_from_itself(values: npt.NDArray[Any]) -> None:
    histogram = Histogram.of(values)
    assert stability_index(histogram.rows, histogram.count(values)) == 0


def test_continuous_values_fill_the_bins_evenly() -> None:
    histogram = Histogram.of(np.random.default_rng(0).normal(size=10_000))
    assert len(histogram.edges) == BINS - 1
    assert all(rows == pytest.approx(1_000, abs=2) for rows in histogram.rows[:-1])
    assert histogram.rows[-1] == 0


def test_a_constant_or_missing_column_has_a_histogram() -> None:
    assert Histogram.of(np.full(5, 3.0)).rows == (0, 5, 0, 0)
    assert Histogram.of(np.full(5, np.nan)) == Histogram(edges=(), rows=(0, 5))


def test_a_flag_that_turns_over_is_seen() -> None:
    """From 5 % to 95 %: 0.9 ln 19 from each of the two values; empty bins count as half a row in both samples."""
    before = Histogram.of(np.repeat([0.0, 1.0], [19_000, 1_000]))
    after = before.count(np.repeat([0.0, 1.0], [1_000, 19_000]))
    assert stability_index(before.rows, after) == pytest.approx(2 * 0.9 * math.log(19), rel=1e-3)


@given(st.integers(1, 99), st.integers(1, 99), st.sampled_from([0.0, -2.5, 3.0, 1e9]), st.sampled_from([1.0, 1e-6]))
def test_a_value_in_most_rows_has_a_bin_of_its_own(before: int, after: int, value: float, step: float) -> None:
    """Against the formula for two values, which may be as close to each other as a millionth."""
    values = [value, value + step * max(1.0, abs(value))]
    histogram = Histogram.of(np.repeat(values, [1_000 * before, 1_000 * (100 - before)]))
    moved = histogram.count(np.repeat(values, [1_000 * after, 1_000 * (100 - after)]))
    old, new = before / 100, after / 100
    expected = (new - old) * math.log(new / old) + (old - new) * math.log((1 - new) / (1 - old))
    assert stability_index(histogram.rows, moved) == pytest.approx(expected, abs=2e-3)


def test_the_last_bits_of_a_heavy_value_are_no_drift() -> None:
    values = np.append(np.full(9_000, 0.1 + 0.2), np.linspace(0, 1, 1_000))
    histogram = Histogram.of(values)
    assert histogram.count(np.append(np.full(9_000, 0.3), np.linspace(0, 1, 1_000))).tolist() == [*histogram.rows]


def test_the_index_is_that_of_the_formula() -> None:
    rows, reference = np.array([499_999.5, 499_999.5]), [199_999.5, 799_999.5]
    expected = 0.3 * math.log(0.5 / 0.2) - 0.3 * math.log(0.5 / 0.8)
    assert stability_index(reference, rows) == pytest.approx(expected, abs=1e-5)


def test_an_empty_bin_counts_as_half_a_row() -> None:
    # Shares of 0.5 / 101 and 100.5 / 101, the other way round in the other sample: twice 100 / 101 of ln 201.
    assert stability_index([0, 100], np.array([100, 0])) == pytest.approx(200 / 101 * math.log(201))


def test_a_category_counts_by_its_rate_and_an_unknown_one_as_missing() -> None:
    schema = Schema(numeric=("price",), categorical=("shop", "city"))
    inputs = np.array([[1.0, 0.3, 2.0, 0.2, 0.0], [np.nan, 0.4, 0.0, 0.5, 1.0]])
    values = column_values(schema, inputs)
    np.testing.assert_array_equal(values, [[1.0, 0.3, np.nan], [np.nan, np.nan, 0.5]])
