from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.counts import MIN_POOLED_VALUES, Counts, CountsError, derive_encoder, smoothed_rate, thresholds
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
    column, hashes, rows, clicks = [
        np.array([(*entry, clicks)[part] for entry, clicks in drawn], dtype=np.int64) for part in range(4)
    ]
    return Counts.merge([Counts(column=column.astype(np.int16), hash=hashes, rows=rows, clicks=clicks)])


def same(left: Counts, right: Counts) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name)) for name in ("column", "hash", "rows", "clicks")
    )


@given(st.lists(entries, max_size=4))
def test_merging_days_equals_counting_all_their_rows_at_once(days: list[Drawn]) -> None:
    at_once = counts_of([entry for day in days for entry in day])
    assert same(Counts.merge(counts_of(day) for day in days), at_once)


@given(entries)
def test_merged_counts_are_distinct_and_in_order(drawn: Drawn) -> None:
    counts = counts_of(drawn)
    keys = list(zip(counts.column.tolist(), counts.hash.tolist(), strict=True))
    assert keys == sorted(set(keys))


def test_a_hash_in_two_columns_is_two_values() -> None:
    """The last value of a column and the first one of the next stand side by side."""
    counts = counts_of([((0, 5, 40), 10), ((1, 5, 3), 2), ((0, 5, 2), 1)])
    merged = zip(counts.column, counts.hash, counts.rows, counts.clicks, strict=True)
    assert [tuple(map(int, entry)) for entry in merged] == [(0, 5, 42, 11), (1, 5, 3, 2)]


@given(entries)
def test_counts_survive_their_file(tmp_path_factory: pytest.TempPathFactory, drawn: Drawn) -> None:
    file = tmp_path_factory.mktemp("counts") / "all.parquet"
    counts = counts_of(drawn)
    counts.write(file)
    assert same(Counts.read(file), counts)


def test_a_file_that_holds_no_counts_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "all.parquet"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(CountsError, match=r"all\.parquet cannot be read"):
        Counts.read(file)


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
