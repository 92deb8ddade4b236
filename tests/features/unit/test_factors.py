"""Factors in the encoder against sums by hand, and in the schema."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.encoder import Encoder, EncoderError, Factors, RawRows
from features.schema import Schema, SchemaError

USER, ITEM = 0, 2
KNOWN, OTHER = 11, 99
SCHEMA = Schema(numeric=("age",), categorical=("user", "city", "item"), factors=("user", "item"))


def encoder(columns: tuple[int, int] = (USER, ITEM)) -> Encoder:
    """Two users, 10 and 11, a city, and one item, 11: the same hash means another value there."""
    vectors = {
        USER: [[0.5, 1.0, 2.0], [0.25, 1.0, -1.0], [0.375, 1.0, 0.0]],
        ITEM: [[1.0, 0.125, 0.5], [1.0, 0.0, 0.0]],
    }
    first, second = (np.array(vectors[column], dtype=np.float32) for column in columns)
    return Encoder(
        columns=SCHEMA.categories,
        offsets=np.array([0, 2, 3, 4]),
        hashes=np.array([10, 11, 5, 11]),
        rates=np.array([0.5, 0.25, 0.75, 0.125], dtype=np.float32),
        log_counts=np.array([3.0, 2.0, 9.0, 2.5], dtype=np.float32),
        unseen=np.array([[0.375, 0.0]] * 3, dtype=np.float32),
        factors=Factors(columns=columns, first=first, second=second),
    )


@pytest.mark.parametrize(
    ("user", "item", "expected"),
    [
        (10, KNOWN, [1.625, 2.5]),  # 1/2 + 1/8 + 2 * 1/2, and the item's log count, the smaller one
        (11, KNOWN, [-0.125, 2.0]),  # 1/4 + 1/8 - 1/2, and the user's
        (OTHER, KNOWN, [0.5, 0.0]),  # 3/8 + 1/8
        (10, OTHER, [0.5, 0.0]),  # a user's own deviation alone
        (OTHER, OTHER, [0.375, 0.0]),  # what everybody else does
    ],
)
@pytest.mark.parametrize("columns", [(USER, ITEM), (ITEM, USER)])
def test_the_product_of_two_values_vectors_comes_last(
    user: int, item: int, expected: list[float], columns: tuple[int, int]
) -> None:
    names = tuple(SCHEMA.categorical[column] for column in columns)
    schema = msgspec.structs.replace(SCHEMA, factors=names)
    fields = [np.array([7.0]), np.array([user]), np.array([5]), np.array([item])]
    encoded = RawRows(schema=schema, fields=fields).encode(encoder(columns))
    assert encoded.shape == (1, len(SCHEMA.encoded_features))
    assert encoded[0, -2:].tolist() == expected


def test_factors_survive_their_files(tmp_path: Path) -> None:
    written = encoder()
    written.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert written.factors is not None
    assert loaded.factors is not None
    assert loaded.factors.columns == (USER, ITEM)
    np.testing.assert_array_equal(loaded.factors.first, written.factors.first)
    np.testing.assert_array_equal(loaded.factors.second, written.factors.second)


def test_vectors_of_other_columns_are_refused() -> None:
    right = encoder()
    assert right.factors is not None
    wrong = Factors(columns=(USER, 1), first=right.factors.first, second=right.factors.second[:1])
    with pytest.raises(
        EncoderError, match=r"factors do not fit.*\(\(3, 3\), \(1, 3\)\), but \(\(3, 3\), \(2, 3\)\) are needed"
    ):
        Encoder(**{**vars(right), "factors": wrong})


def test_factors_are_one_more_column_of_two_inputs_which_nobody_sends() -> None:
    assert SCHEMA.features == ("age", "user", "city", "item")
    assert SCHEMA.categories == ("user", "city", "item")
    assert [column.name for column in SCHEMA.columns] == ["age", "user", "city", "item", "user with item"]
    assert SCHEMA.encoded_features[-2:] == ("user with item_rate", "user with item_log_count")
    assert SCHEMA.factored is not None
    assert (SCHEMA.factored.first.index, SCHEMA.factored.second.index) == (USER, ITEM)
    assert Schema.from_json(SCHEMA.to_json()) == SCHEMA
    assert b"factors" not in Schema(numeric=("age",), categorical=("user", "item")).to_json()


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (("user", "user"), "^The factors are of user and of user again: name two columns"),
        (("user", "age"), "^The factors of user and age need age, which is not named under `categorical`"),
        (("user", "tags"), "^Tags holds several values, and factors are of columns with one"),
    ],
)
def test_factors_that_cannot_be_made_are_refused(factors: tuple[str, str], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        Schema(numeric=("age",), categorical=("user", "tags"), separators={"tags": "|"}, factors=factors)
