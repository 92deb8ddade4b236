"""Pairs of columns against the definition of one row's pair."""

import struct

import numpy as np
import numpy.typing as npt
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import MISSING_HASH, Several, at_rows, crossed, pair_hashes

PRESENT = st.sampled_from([0, 1, -1, -(1 << 63)]) | st.integers(-(1 << 63), (1 << 63) - 1)
HASH = st.just(MISSING_HASH) | PRESENT
FIELD = st.just([MISSING_HASH]) | st.lists(PRESENT, min_size=1, max_size=4, unique=True)
"""The values of a field with several: it is missing, or none of them is."""
ROWS = st.lists(st.tuples(HASH, FIELD), max_size=20)
Row = tuple[int, list[int]]


def array(hashes: list[int]) -> npt.NDArray[np.int64]:
    return np.array(hashes, dtype=np.int64)


def pair_hash(first: int, second: int) -> int:
    if MISSING_HASH in {first, second}:
        return MISSING_HASH
    digest = xxhash.xxh64_digest(struct.pack("<q", second), first % (1 << 64))
    return int.from_bytes(digest, "big", signed=True)


def distinct(pairs: list[int]) -> list[int]:
    return list(dict.fromkeys(pairs))


@given(st.lists(st.tuples(HASH, HASH), max_size=20))
def test_many_pairs_hash_as_each_alone(pairs: list[tuple[int, int]]) -> None:
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    assert pair_hashes(array(first), array(second)).tolist() == [pair_hash(*pair) for pair in pairs]


@given(ROWS)
def test_each_of_several_values_makes_a_pair_in_its_order_and_a_missing_one_is_there_once(rows: list[Row]) -> None:
    single = array([one for one, _ in rows])
    row = np.array([index for index, (_, values) in enumerate(rows) for _ in values], dtype=np.int64)
    several = Several(hashes=array([value for _, values in rows for value in values]), row=row)
    for found, expected in (
        (crossed(single, several), [distinct([pair_hash(one, other) for other in values]) for one, values in rows]),
        (crossed(several, single), [distinct([pair_hash(other, one) for other in values]) for one, values in rows]),
    ):
        assert isinstance(found, Several)
        assert [found.hashes[found.row == index].tolist() for index in range(len(rows))] == expected


@given(st.lists(FIELD, min_size=1, max_size=9), st.lists(st.integers(-1, 8), max_size=12))
def test_rows_at_places_have_the_values_of_those_rows(fields: list[list[int]], places: list[int]) -> None:
    rows = [place % len(fields) if place >= 0 else -1 for place in places]
    several = Several(
        hashes=array([value for field in fields for value in field]),
        row=np.repeat(np.arange(len(fields)), [len(field) for field in fields]),
    )
    found = at_rows(several, array(rows))
    assert isinstance(found, Several)
    assert [found.hashes[found.row == at].tolist() for at in range(len(rows))] == [fields[row] for row in rows]
    first = array([field[0] for field in fields])
    assert at_rows(first, array(rows)).tolist() == [fields[row][0] for row in rows]  # type: ignore[union-attr] # an array
