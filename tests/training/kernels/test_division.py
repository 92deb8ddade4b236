"""How rows are divided: by draws that follow from a row's hash, or by time."""

import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import xxhash
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.prepared_rows import MemoryRows
from training.kernels import split
from training.kernels.columns import RECORD_HASH, TIME
from training.kernels.kernel import Kernel
from training.kernels.split import PARTS, Division, Part, SplitError, about, draw, moments
from training.parameters import Split, TrainingParameters

HASHES = np.random.default_rng(5).integers(-(1 << 63), 1 << 63, 10_000)
"""Record hashes of 10,000 rows."""


DAY_OF_2026 = 1_767_571_200_000_000
"""The beginning of January 5, in microseconds."""


def no_scan(_kernel: Kernel) -> pa.Table:
    raise AssertionError("a random split asks for no time")


def of_times(times: npt.NDArray[np.int64]) -> Callable[[Kernel], pa.Table]:
    """The scan of rows with these times."""
    hashes = np.random.default_rng(6).integers(-(1 << 63), 1 << 63, len(times))
    columns = {RECORD_HASH: hashes, TIME: times.astype(np.int64)}
    return MemoryRows((pa.RecordBatch.from_pydict(columns),)).scan


def shares(parts: npt.NDArray[np.int8]) -> dict[Part, int]:
    return {part: int((parts == number).sum()) for number, part in enumerate(PARTS)}


def drawn(seed: int, purpose: str, record: int) -> int:
    """The definition: seed, purpose and record, hashed one after the other."""
    chain = xxhash.xxh64_intdigest(struct.pack("<i" if seed < 1 << 31 else "<q", seed), 42)
    chain = xxhash.xxh64_intdigest(struct.pack("<q", record), xxhash.xxh64_intdigest(purpose.encode(), chain))
    signed = chain - (1 << 64) if chain >= 1 << 63 else chain
    return signed % 1_000_000


@given(st.integers(0, 1 << 40), st.sampled_from(["held out", "fold"]), st.integers(-(1 << 63), (1 << 63) - 1))
def test_a_draw_hashes_seed_purpose_and_record_one_after_the_other(seed: int, purpose: str, record: int) -> None:
    assert draw(seed, purpose, np.array([record])).tolist() == [drawn(seed, purpose, record)]


def test_a_fold_is_drawn_for_itself() -> None:
    division = Division.of(TrainingParameters(folds=7, seed=3), no_scan, rows=len(HASHES))
    records = HASHES[:200].tolist()
    assert division.folds(HASHES[:200]).tolist() == [drawn(3, "fold", record) % 7 for record in records]


def test_a_random_split_has_the_shares_that_were_asked_for() -> None:
    parameters = TrainingParameters(train_fraction=0.8, validation_fraction=0.1)
    found = shares(Division.of(parameters, no_scan, rows=len(HASHES)).parts(HASHES, None))
    assert found[Part.HELD_OUT] == pytest.approx(2_000, abs=150)
    assert found[Part.VALIDATION] == pytest.approx(800, abs=100)
    assert sum(found.values()) == len(HASHES)


def test_of_very_many_rows_no_more_than_a_limit_are_watched() -> None:
    division = Division.of(TrainingParameters(), no_scan, rows=100_000_000)
    assert division.validation * 80_000_000 == pytest.approx(200_000)


def test_folds_are_of_about_equal_size_and_say_nothing_about_the_part() -> None:
    division = Division.of(TrainingParameters(folds=4), no_scan, rows=len(HASHES))
    folds = division.folds(HASHES)
    assert np.bincount(folds) == pytest.approx([2_500] * 4, abs=200)
    held_out = folds[division.parts(HASHES, None) == PARTS.index(Part.HELD_OUT)]
    assert np.bincount(held_out) == pytest.approx([len(held_out) / 4] * 4, abs=100)


def test_a_split_depends_on_the_record_and_the_seed_alone() -> None:
    first, other = (Division.of(TrainingParameters(seed=seed), no_scan, rows=len(HASHES)) for seed in (42, 7))
    backwards = first.parts(HASHES[::-1], None)[::-1]
    np.testing.assert_array_equal(first.parts(HASHES, None), backwards)
    assert (first.parts(HASHES, None) != other.parts(HASHES, None)).any()


def test_a_split_by_time_holds_out_the_latest_rows() -> None:
    parameters = TrainingParameters(split=Split.TIME, train_fraction=0.8, validation_fraction=0.1)
    times = np.arange(10_000) ** 2 // 10_000 * 60_000_000
    parts = Division.of(parameters, of_times(times), rows=len(times)).parts(HASHES, times)
    fit, validation, held_out = (times[parts == PARTS.index(part)] for part in Part)
    assert fit.max() < validation.min() <= validation.max() < held_out.min()
    assert len(held_out) == pytest.approx(2_000, abs=5)
    assert len(validation) == pytest.approx(800, abs=5)


TIMES = st.lists(st.integers(-50, 50) | st.integers(-(10**15), 10**16), min_size=2, max_size=60)


@given(TIMES, st.floats(0.01, 0.99))
def test_a_cut_is_the_first_time_at_which_more_than_the_share_have_passed(times: list[int], fraction: float) -> None:
    assume(len(set(times)) > 1)
    (cut,) = moments(of_times(np.array(times)), [fraction], rows=len(times))
    assert sum(time < cut for time in times) <= fraction * len(times) < sum(time <= cut for time in times)


def test_many_rows_are_cut_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "MOST_TIMES", 10_000)
    (cut,) = moments(of_times(np.arange(100_000)), [0.8], rows=100_000)
    assert cut == pytest.approx(80_000, abs=4 * 100_000 * np.sqrt(0.8 * 0.2 / 10_000))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([DAY_OF_2026] * 3, "but the time of all of them is 2026-01-05 00:00:00 UTC. Set `split: random`"),
        ([], "but there are no rows"),
    ],
)
def test_what_a_split_by_time_cannot_divide_is_said_with_its_date(times: list[int], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        moments(of_times(np.array(times)), [0.8], rows=len(times))


def test_a_sample_is_of_about_the_size_that_was_asked_for() -> None:
    assert about(1_000, HASHES, rows=len(HASHES), seed=1, purpose="baselines").sum() == pytest.approx(1_000, abs=120)
    assert about(20_000, HASHES, rows=len(HASHES), seed=1, purpose="baselines").all()
