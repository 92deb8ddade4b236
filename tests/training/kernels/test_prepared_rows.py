"""Prepared rows against the definition of each column for one row."""

import struct

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import hash_several, hash_value
from features.schema import Schema
from training.kernels.columns import CATEGORIES, LABEL, NUMBERS, RAW, TIME, VALUES, raw_columns, raw_rows
from training.kernels.hashed import Fields, hashed, record_hashes

SCHEMA = Schema(numeric=("age", "price"), categorical=("country", "genres"), timestamp="at", separators={"genres": "|"})
ROWS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.floats(allow_nan=False),
        st.sampled_from(["", "de", "a longer country than thirty-two bytes"]),
        st.sampled_from(["", "comedy", "drama|comedy", " comedy |drama||drama", "|"]),
        st.integers(-(1 << 50), 1 << 50),
    ),
    max_size=20,
)
Row = tuple[int, float | None, float | None, str, str, int]


def fields(rows: list[Row]) -> Fields:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    return Fields(
        label=np.array(columns[0], dtype=np.int8),
        numeric=[np.array(column, dtype=np.float64) for column in columns[1:3]],
        categorical=[pa.array(column, pa.string()) for column in columns[3:5]],
        time=np.array(columns[5], dtype=np.int64),
    )


def odd(record_hash: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.asarray(record_hash % 2 == 1)


def record_hash(row: Row) -> int:
    chain = 42
    for number in row[1:3]:
        chain = chain if number is None else xxhash.xxh64_intdigest(struct.pack("<d", number or 0.0), chain)
    for text in row[3:5]:
        chain = xxhash.xxh64_intdigest(text.encode(), chain)
    chain = xxhash.xxh64_intdigest(struct.pack("<q", row[5]), chain)
    return chain - (1 << 64) if chain >= 1 << 63 else chain


@given(ROWS)
def test_a_rows_hash_goes_through_its_columns_one_after_the_other(rows: list[Row]) -> None:
    assert record_hashes(fields(rows)).tolist() == [record_hash(row) for row in rows]


@given(ROWS)
def test_every_column_is_what_the_row_says(rows: list[Row]) -> None:
    batch = hashed(fields(rows), SCHEMA, may_be_held_out=odd)
    assert batch[LABEL].to_pylist() == [row[0] for row in rows]
    assert batch[TIME].to_pylist() == [row[5] for row in rows]
    assert batch[CATEGORIES].to_pylist() == [[hash_value(row[3]), hash_value(row[4])] for row in rows]
    assert batch[VALUES].to_pylist() == [[hash_several(row[4], "|").tolist()] for row in rows]
    assert batch[RAW].to_pylist() == [list(row[3:5]) if record_hash(row) % 2 else None for row in rows]
    numbers = [[np.nan if number is None else number for number in row[1:3]] for row in rows]
    np.testing.assert_array_equal(np.array(batch[NUMBERS].to_pylist()).reshape(-1, 2), np.reshape(numbers, (-1, 2)))


@given(ROWS)
def test_a_batch_is_matrices_to_the_encoder(rows: list[Row]) -> None:
    batch = hashed(fields(rows), SCHEMA, may_be_held_out=odd)
    *numbers, single, several = raw_rows([batch[name] for name in raw_columns(SCHEMA)], SCHEMA).fields
    expected = np.array(batch[NUMBERS].to_pylist(), dtype=np.float64).reshape(-1, 2)
    np.testing.assert_array_equal(np.column_stack(numbers), expected)
    assert single.tolist() == [hashes[0] for hashes in batch[CATEGORIES].to_pylist()]
    values = [hashes for (hashes,) in batch[VALUES].to_pylist()]
    assert several.hashes.tolist() == [value for of_row in values for value in of_row]
    assert several.row.tolist() == [index for index, of_row in enumerate(values) for _ in of_row]


def test_a_schema_of_numbers_alone_has_no_categories() -> None:
    only = Fields(label=np.array([1], np.int8), numeric=[np.array([2.0])], categorical=[])
    batch = hashed(only, Schema(numeric=("age",), categorical=()), may_be_held_out=odd)
    assert (batch[NUMBERS].to_pylist(), batch[CATEGORIES].to_pylist()) == ([[2.0]], [[]])
