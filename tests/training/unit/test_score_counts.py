"""Counts by score are the same in one piece or in many, know ties, and separate invalid probabilities."""

import numpy as np
import pytest

from features.hashing import EACH
from training.metrics.score_counts import FIXED_POINT, NO_PROBABILITY, SLICES, InSlices, ScoreCounts

ROWS = 10_000


def test_rows_in_pieces_are_counted_as_in_one() -> None:
    generator = np.random.default_rng(0)
    probability = np.round(generator.beta(1, 4, ROWS), 4)
    clicked = generator.random(ROWS) < probability
    of_slice = generator.integers(0, 3, ROWS, dtype=np.int32)
    whole, pieces = ScoreCounts(models=2, slices=3), ScoreCounts(models=2, slices=3)
    whole.add(clicked, probability, slices=[InSlices(EACH, of_slice)])
    whole.add(clicked, 1 - probability, model=1)
    for piece in np.array_split(np.arange(ROWS), 7):
        pieces.add(clicked[piece], probability[piece], slices=[InSlices(EACH, of_slice[piece])])
        pieces.add(clicked[piece], 1 - probability[piece], model=1)
    for one, other in zip(whole.batch().to_pylist(), pieces.batch().to_pylist(), strict=True):
        assert one == other


def test_counts_and_sums_are_those_of_the_rows() -> None:
    probability = np.array([0.25, 0.75, 0.25, 0.5])
    clicked = np.array([True, True, False, False])
    counts = ScoreCounts(slices=2)
    counts.add(clicked, probability, slices=[InSlices(EACH, np.array([0, 0, 0, 1], dtype=np.int32))])
    found = counts.batch().to_pylist()
    model = [bin_ for bin_ in found if bin_["of"] == 0]
    assert [bin_["lowest"] for bin_ in model] == [0.25, 0.5, 0.75]
    assert [bin_["rows"] for bin_ in model] == [2, 1, 1]
    assert [bin_["clicks"] for bin_ in model] == [1, 0, 1]
    assert [bin_["probability_sum"] / FIXED_POINT for bin_ in model] == [0.5, 0.5, 0.75]
    assert model[0]["loss_sum"] / FIXED_POINT == pytest.approx(-np.log(0.25) - np.log(0.75), abs=2e-9)
    assert [bin_["rows"] for bin_ in found if bin_["of"] == SLICES] == [2, 1]
    assert [bin_["rows"] for bin_ in found if bin_["of"] == SLICES + 1] == [1]


def test_a_row_may_be_in_two_slices_or_in_none() -> None:
    counts = ScoreCounts(slices=2)
    rows, numbers = np.array([2, 0, 2]), np.array([0, 1, 1], dtype=np.int32)
    clicked, probability = np.array([False, True, True]), np.array([0.25, 0.5, 0.75])
    counts.add(clicked, probability, slices=[InSlices(rows, numbers)])
    found = [(one["of"], one["lowest"], one["rows"], one["clicks"]) for one in counts.batch().to_pylist()]
    assert found[:3] == [(0, 0.25, 1, 0), (0, 0.5, 1, 1), (0, 0.75, 1, 1)]
    assert found[3:] == [(SLICES, 0.75, 1, 1), (SLICES + 1, 0.25, 1, 0), (SLICES + 1, 0.75, 1, 1)]


@pytest.mark.parametrize(("values", "tied"), [([0.3, 0.3], True), ([0.3, 0.3 + 1e-9], False)])
def test_only_equal_probabilities_are_tied(values: list[float], *, tied: bool) -> None:
    for pieces in ([values], [[value] for value in values]):
        counts = ScoreCounts()
        for piece in pieces:
            counts.add(np.zeros(len(piece), dtype=np.bool_), np.array(piece))
        (found,) = counts.batch().to_pylist()
        assert found["rows"] == 2
        assert (found["lowest"] == found["highest"]) is tied


@pytest.mark.parametrize("value", [float("nan"), -1e-9, 1 + 1e-9, float("inf"), float("-inf")])
def test_what_is_no_probability_is_counted_apart(value: float) -> None:
    counts = ScoreCounts()
    counts.add(np.array([True, True]), np.array([0.5, value]))
    found = {bin_["bin"]: bin_["rows"] for bin_ in counts.batch().to_pylist()}
    assert found.pop(NO_PROBABILITY) == 1
    assert list(found.values()) == [1]


def test_the_ends_have_bins_of_their_own() -> None:
    counts = ScoreCounts()
    counts.add(np.array([True, False]), np.array([1.0, 0.0]))
    low, high = counts.batch().to_pylist()
    assert (low["bin"], high["bin"]) == (0, NO_PROBABILITY - 1)


def test_without_rows_there_is_nothing() -> None:
    assert ScoreCounts(models=2, slices=4).batch().num_rows == 0
