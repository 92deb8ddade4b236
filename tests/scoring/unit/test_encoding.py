"""The service's encoder, compared with the plain one that training uses too."""

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.columns import Reading, Time
from features.encoder import Encoder, Factors, RawRows
from features.hashing import MISSING_HASH, Several, hash_values, pair_hashes
from features.schema import Schema
from scoring.model.encoding import RowEncoder
from scoring.model.records import Values
from scoring.native import Kernel
from tests.support.bundles import Record, random_records, to_rows
from tests.support.kernels import built_kernel


@given(
    st.integers(0, 6),
    st.lists(st.sampled_from([None, None, " ", "|", "||", "a", "€"]), max_size=5),
    st.sets(st.integers(0, 9), max_size=4),
    st.integers(0, 1),
    st.lists(st.sampled_from(["UTC", "America/New_York"]), max_size=2),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_both_encoders_give_the_same_inputs(  # noqa: PLR0917 - hypothesis gives them in their order
    kernel: Kernel | None,
    numbers: int,
    separators: list[str | None],
    chosen: set[int],
    factored: int,
    zones: list[str],
    rows: int,
    seed: int,
) -> None:
    if numbers + len(separators) + len(zones) == 0:
        numbers = 1
    separated = {f"c{index}": separator for index, separator in enumerate(separators) if separator}
    names = tuple(f"c{index}" for index in range(len(separators)))
    pairs = [pair for pair in combinations(names, 2) if not set(pair) <= set(separated)]
    single = [name for name in names if name not in separated]
    schema = Schema(
        numeric=tuple(f"n{index}" for index in range(numbers)),
        categorical=names,
        separators=separated,
        crosses=tuple(pair for index, pair in enumerate(pairs) if index in chosen),
        factors=(single[-1], single[0]) if factored and len(single) > 1 else None,
        timestamp="shown",
        times={f"t{index}": Reading(zone=zone) for index, zone in enumerate(zones)},
    )
    known = random_records(schema, 30, seed=seed)
    asked = random_records(schema, rows, seed=seed + 1)
    encoder = make_encoder(schema, known, seed)
    values = values_of(schema, asked)
    found = RowEncoder(schema, encoder, kernel).encode(values)
    np.testing.assert_array_equal(found, to_rows(schema, asked).encode(encoder))


def values_of(schema: Schema, records: list[Record]) -> list[Values]:
    """The records as the request types decode them: timestamps in microseconds."""
    timed = {field.name for field in schema.fields if isinstance(field, Time)}

    def read(name: str, value: str | float | None) -> str | float | None:
        return float(int(float(value) * 1_000_000)) if name in timed and value is not None else value

    return [tuple(read(name, record[name]) for name in schema.features) for record in records]


@given(st.lists(st.integers(-20, 20) | st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=9), st.integers(0, 9))
def test_an_integer_is_the_category_of_its_digits(kernel: Kernel | None, numbers: list[int], seed: int) -> None:
    schema = Schema(numeric=(), categorical=("a", "b"), separators={"b": "|"}, crosses=(("a", "b"),))
    texts: list[Record] = [{"a": str(one), "b": str(other)} for one, other in pairwise(numbers)]
    encoder = make_encoder(schema, texts[1:] or texts, seed)
    rows = RowEncoder(schema, encoder, kernel)
    integers: list[Values] = list(pairwise(numbers))
    np.testing.assert_array_equal(rows.encode(integers), rows.encode(values_of(schema, texts)))
    small = [tuple(number % 1000 for number in row) for row in pairwise(numbers)]
    floats = [tuple(float(number) for number in row) for row in small]
    np.testing.assert_array_equal(rows.encode(list(floats)), rows.encode(list(small)))


def test_the_values_of_a_field_stand_for_their_mean_in_any_order_and_each_once(kernel: Kernel | None) -> None:
    schema = Schema(numeric=(), categorical=("genres",), separators={"genres": "|"})
    encoder = Encoder(
        columns=("genres",),
        offsets=np.array([0, 2]),
        hashes=np.sort(hash_values(["drama", "comedy"])),
        rates=np.array([0.25, 0.75], dtype=np.float32),
        log_counts=np.array([1.0, 4.0], dtype=np.float32),
        unseen=np.array([[0.5, 0.0]], dtype=np.float32),
    )
    fields = ["comedy|drama", " drama |comedy| drama", "drama|comedy|western", "western", "", "|", None]
    (both, again, three, unknown, *missing) = RowEncoder(schema, encoder, kernel).encode([(field,) for field in fields])
    assert both.tolist() == [0.5, 2.5]  # (0.25 + 0.75) / 2 and (1 + 4) / 2
    assert again.tolist() == [0.5, 2.5]
    assert three.tolist() == [0.5, np.float32(5 / 3)]  # (0.25 + 0.75 + 0.5) / 3 and (1 + 4 + 0) / 3
    assert unknown.tolist() == [0.5, 0.0]
    assert [one.tolist() for one in missing] == [[0.5, 0.0]] * 3


def test_a_cross_is_looked_up_by_the_pair_of_two_values_and_missing_without_one_of_them(kernel: Kernel | None) -> None:
    schema = Schema(
        numeric=(), categorical=("user", "genres"), separators={"genres": "|"}, crosses=(("user", "genres"),)
    )
    pairs = pair_hashes(hash_values(["u1", "u1"]), hash_values(["drama", "comedy"]))
    hashes = np.append(pairs, MISSING_HASH)
    order = np.argsort(hashes)
    encoder = Encoder(
        columns=schema.categories,
        offsets=np.array([0, 0, 0, 3]),
        hashes=hashes[order],
        rates=np.array([0.25, 0.75, 0.125], dtype=np.float32)[order],
        log_counts=np.array([1.0, 4.0, 9.0], dtype=np.float32)[order],
        unseen=np.array([[0.5, 0.0]] * 3, dtype=np.float32),
    )
    asked: list[Values] = [("u1", "drama"), ("u1", "comedy|drama"), ("u2", "drama"), ("", "drama|comedy"), ("u1", None)]
    found = RowEncoder(schema, encoder, kernel).encode(asked)[:, 4:].tolist()
    assert found == [[0.25, 1.0], [0.5, 2.5], [0.5, 0.0], [0.125, 9.0], [0.125, 9.0]]


def test_a_text_of_any_length_has_the_hash_of_training(kernel: Kernel | None) -> None:
    texts = ["ä€😀"[number % 3] * (number % 7) + "x" * number for number in range(200)]
    schema = Schema(numeric=(), categorical=("a",))
    encoder = make_encoder(schema, [{"a": text} for text in texts], 0)
    rows: list[Values] = [(text,) for text in texts]
    expected = RawRows(schema=schema, fields=[hash_values(texts)]).encode(encoder)
    assert len(np.unique(expected, axis=0)) == len(texts)
    np.testing.assert_array_equal(RowEncoder(schema, encoder, kernel).encode(rows), expected)


@pytest.mark.parametrize(("row", "error"), [((1.0,), ValueError), ((1.0, b"x"), TypeError), (("x", "x"), TypeError)])
def test_the_kernel_refuses_rows_of_another_width_and_what_is_no_text(row: Any, error: type[Exception]) -> None:
    schema = Schema(numeric=("n",), categorical=("a",))
    encoder = RowEncoder(schema, make_encoder(schema, [{"n": 1.0, "a": "x"}], 0), built_kernel())
    with pytest.raises(error):
        encoder.encode([row])


def make_encoder(schema: Schema, records: list[dict[str, str | float | None]], seed: int) -> Encoder:
    rows = to_rows(schema, records)
    columns = [rows.values(index) for index in range(len(schema.categories))]
    tables = [np.unique(values.hashes if isinstance(values, Several) else values) for values in columns]
    entries = sum(len(table) for table in tables)
    generator = np.random.default_rng(seed)
    factors = None
    if schema.factored:
        pair = (schema.factored.first.index, schema.factored.second.index)
        vectors = [generator.normal(size=(len(tables[column]) + 1, 6)).astype(np.float32) for column in pair]
        factors = Factors(columns=pair, first=vectors[0], second=vectors[1])
    return Encoder(
        columns=schema.categories,
        offsets=np.cumsum([0, *(len(table) for table in tables)], dtype=np.int64),
        hashes=np.concatenate([*tables, np.empty(0, dtype=np.int64)]),
        rates=generator.random(entries).astype(np.float32),
        log_counts=generator.random(entries).astype(np.float32),
        unseen=generator.random((len(tables), 2)).astype(np.float32),
        factors=factors,
    )
