"""Prepared rows against the definition of each column for one row."""

import struct
from dataclasses import replace

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import hash_several, hash_value
from features.schema import Schema
from training.kernels.columns import CATEGORIES, LABEL, NUMBERS, RAW, RECORD_HASH, TIME, VALUES, raw_columns, raw_rows
from training.kernels.hashed import Fields, hashed, hashed_fields

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


def record_hash(row: Row, user: str) -> int:
    """The definition: the sum of the hashes of all values, each seeded with the hash of its column's name."""

    def hash_of(name: str, value: bytes) -> int:
        return xxhash.xxh64_intdigest(value, xxhash.xxh64_intdigest(name.encode(), 42))

    named = zip(("age", "price"), row[1:3], strict=True)
    total = sum(hash_of(name, struct.pack("<d", number or 0.0)) for name, number in named if number is not None)
    for name, text in (("country", row[3]), ("genres", row[4]), ("user_id", user)):
        total += hash_of(name, struct.pack("<q", hash_value(text)))
    total = (total + hash_of("at", struct.pack("<q", row[5]))) % (1 << 64)
    return total - (1 << 64) if total >= 1 << 63 else total


def hashes_of(rows: Fields, schema: Schema) -> list[int]:
    found: list[int] = hashed(rows, schema)[RECORD_HASH].to_pylist()
    return found


@given(ROWS)
def test_a_rows_hash_takes_in_keys_time_and_all_fields_by_name(rows: list[Row]) -> None:
    users = [f"u{number % 3}" for number in range(len(rows))]
    keyed = replace(fields(rows), keys={"user_id": pa.array(users, pa.string())})
    assert hashes_of(keyed, SCHEMA) == [record_hash(row, user) for row, user in zip(rows, users, strict=True)]


@given(ROWS)
def test_the_order_of_columns_and_keys_that_are_features_change_no_hash(rows: list[Row]) -> None:
    own = fields(rows)
    turned = Schema(numeric=SCHEMA.numeric[::-1], categorical=SCHEMA.categorical[::-1], timestamp="at")
    assert hashes_of(replace(own, numeric=own.numeric[::-1], categorical=own.categorical[::-1]), turned) == hashes_of(
        own, SCHEMA
    )
    assert hashed_fields(turned, ["user_id"]) == hashed_fields(SCHEMA, ["user_id"])
    keyed = replace(own, keys={"country": own.categorical[0]})
    assert hashes_of(keyed, SCHEMA) == hashes_of(own, SCHEMA)
    assert hashed_fields(SCHEMA, ["country"]) == hashed_fields(SCHEMA, [])


def test_what_is_hashed_is_named_with_its_kind() -> None:
    assert hashed_fields(SCHEMA, ["user_id"]) == (
        *("age (number)", "at (time)", "country (text)", "genres (text)", "price (number)", "user_id (text)"),
        "number among equal rows",
    )


def test_words_that_are_not_hashed_since_they_mean_missing_are_named_with_their_column() -> None:
    plain = hashed_fields(SCHEMA, ["user_id"])
    assert hashed_fields(SCHEMA, ["user_id"], {"country": {""}, "age": set()}) == plain
    found = hashed_fields(SCHEMA, ["user_id"], {"country": {"", "?", "NA"}, "age": {"-1"}})
    assert {*found} - {*plain} == {"country (text without '?', 'NA')", "age (number without '-1')"}


@given(ROWS)
def test_every_column_is_what_the_row_says(rows: list[Row]) -> None:
    batch = hashed(fields(rows), SCHEMA)
    assert batch[LABEL].to_pylist() == [row[0] for row in rows]
    assert batch[TIME].to_pylist() == [row[5] for row in rows]
    assert batch[CATEGORIES].to_pylist() == [[hash_value(row[3]), hash_value(row[4])] for row in rows]
    assert batch[VALUES].to_pylist() == [[hash_several(row[4], "|").tolist()] for row in rows]
    assert batch[RAW].to_pylist() == [{"0": row[3], "1": row[4]} for row in rows]
    numbers = [[np.nan if number is None else number for number in row[1:3]] for row in rows]
    np.testing.assert_array_equal(np.array(batch[NUMBERS].to_pylist()).reshape(-1, 2), np.reshape(numbers, (-1, 2)))


@given(ROWS)
def test_a_batch_is_matrices_to_the_encoder(rows: list[Row]) -> None:
    batch = hashed(fields(rows), SCHEMA)
    *numbers, single, several = raw_rows([batch[name] for name in raw_columns(SCHEMA)], SCHEMA).fields
    expected = np.array(batch[NUMBERS].to_pylist(), dtype=np.float64).reshape(-1, 2)
    np.testing.assert_array_equal(np.column_stack(numbers), expected)
    assert single.tolist() == [hashes[0] for hashes in batch[CATEGORIES].to_pylist()]
    values = [hashes for (hashes,) in batch[VALUES].to_pylist()]
    assert several.hashes.tolist() == [value for of_row in values for value in of_row]
    assert several.row.tolist() == [index for index, of_row in enumerate(values) for _ in of_row]


def test_a_schema_of_numbers_alone_has_no_categories() -> None:
    only = Fields(label=np.array([1], np.int8), numeric=[np.array([2.0])], categorical=[])
    batch = hashed(only, Schema(numeric=("age",), categorical=()))
    assert (batch[NUMBERS].to_pylist(), batch[CATEGORIES].to_pylist()) == ([[2.0]], [[]])
