"""Counts of values against counting one row after the other."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.kernels.count import ValueCounts, count

FOLDS = 3
ROWS = st.lists(st.tuples(st.integers(-4, 4), st.booleans(), st.integers(0, FOLDS - 1)), max_size=50)
Rows = list[tuple[int, bool, int]]


def counted(rows: Rows) -> ValueCounts:
    hashes, clicked, folds = zip(*rows, strict=True) if rows else ((), (), ())
    return count(
        np.array(hashes, dtype=np.int64),
        np.array(clicked, dtype=np.bool_),
        np.array(folds, dtype=np.int32),
        number=FOLDS,
    )


@given(ROWS)
def test_rows_and_clicks_are_counted_by_value_and_fold(rows: Rows) -> None:
    table = counted(rows)
    assert table.hash.tolist() == sorted({value for value, _, _ in rows})
    seen = Counter((value, fold) for value, _, fold in rows)
    clicks = Counter((value, fold) for value, clicked, fold in rows if clicked)
    for place, value in enumerate(table.hash.tolist()):
        assert table.rows[place].tolist() == [seen[value, fold] for fold in range(FOLDS)]
        assert table.clicks[place].tolist() == [clicks[value, fold] for fold in range(FOLDS)]


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_counts_of_parts_add_up_to_those_of_the_whole(parts: list[Rows]) -> None:
    merged, whole = ValueCounts.merge(map(counted, parts)), counted([row for part in parts for row in part])
    for name in ("hash", "rows", "clicks"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
