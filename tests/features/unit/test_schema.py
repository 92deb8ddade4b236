from typing import Any

import pytest

from features.columns import Cross
from features.schema import Schema, SchemaError


@pytest.mark.parametrize(
    "columns",
    [
        {"numeric": ("age", "age"), "categorical": ()},
        {"numeric": ("age",), "categorical": ("age",)},
        {"numeric": ("label",), "categorical": ()},
        {"numeric": ("at",), "categorical": (), "timestamp": "at"},
        {"numeric": ("city_rate",), "categorical": ("city",)},
    ],
)
def test_a_name_used_twice_is_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="used more than once"):
        Schema(**columns)


@pytest.mark.parametrize("name", ['said "so"', "back\\slash", "two\nlines"])
def test_a_name_that_no_request_could_have_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match=r"Requests name columns in JSON.* Rename '"):
        Schema(numeric=(), categorical=("größe `x[0]{y}:z`", name))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"numeric": 1}', b'{"numeric": ["a"], "categorical": [], "more": 1}']
)
def test_a_file_that_is_no_schema_is_refused(content: bytes) -> None:
    with pytest.raises(SchemaError, match=r"schema\.json is not a schema"):
        Schema.from_json(content)


def test_columns_with_several_values_are_known_by_their_place() -> None:
    schema = Schema(numeric=("age",), categorical=("city", "genres"), separators={"genres": " "})
    assert [(column.index, column.separator) for column in schema.several] == [(1, " ")]
    assert Schema.from_json(schema.to_json()) == schema
    assert schema.encoded_features[-2:] == ("genres_rate", "genres_log_count")


@pytest.mark.parametrize(
    ("separators", "message"),
    [({"age": "|"}, "age has a separator, but it is none of the categorical"), ({"city": ""}, "of city is empty")],
)
def test_a_separator_that_splits_nothing_is_refused(separators: dict[str, str], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        Schema(numeric=("age",), categorical=("city",), separators=separators)


@pytest.mark.parametrize(
    ("theirs", "lacking"),
    [
        (Schema(numeric=("age",), categorical=("city", "genres", "more"), separators={"genres": "|"}), ()),
        (Schema(numeric=("age",), categorical=("city", "genres")), ("genres",)),
        (Schema(numeric=("age",), categorical=("city", "genres"), separators={"genres": ","}), ("genres",)),
        (
            Schema(numeric=("age",), categorical=("city", "genres"), separators={"genres": "|", "city": " "}),
            ("city",),
        ),
        (Schema(numeric=("city",), categorical=("age",)), ("age", "city", "genres")),
    ],
)
def test_rows_lack_a_column_that_they_do_not_have_or_split_otherwise(theirs: Schema, lacking: tuple[str, ...]) -> None:
    ours = Schema(numeric=("age",), categorical=("city", "genres"), separators={"genres": "|"})
    assert ours.lacking(theirs) == lacking


def test_crosses_are_columns_of_the_encoder_behind_the_categorical_ones_and_of_no_record() -> None:
    schema = Schema(numeric=("age",), categorical=("user", "genre"), crosses=(("user", "genre"),))
    assert schema.features == ("age", "user", "genre")
    assert schema.categories == ("user", "genre", "user x genre")
    assert [column.name for column in schema.columns] == ["age", "user", "genre", "user x genre"]
    assert schema.encoded_features[-2:] == ("user x genre_rate", "user x genre_log_count")
    cross = schema.encoded[2]
    assert isinstance(cross, Cross)
    assert (cross.index, cross.first.name, cross.second.name) == (2, "user", "genre")
    assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize(
    ("crosses", "message"),
    [
        ((("user", "age"),), "^Age is a column of numbers, and only categories can be crossed: name it under"),
        ((("user", "mood"),), "^The cross of user and mood needs mood, which is not named under `categorical`"),
        ((("user", "user"),), "^User is crossed with itself: name two columns"),
        ((("user", "genre"), ("genre", "user")), "^Genre and user are crossed twice: name each pair once"),
        ((("genre", "tags"),), "^Genre and tags both hold several values: only one column of a cross may"),
    ],
)
def test_a_cross_that_cannot_be_made_is_refused(crosses: tuple[tuple[str, str], ...], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        Schema(
            numeric=("age",),
            categorical=("user", "genre", "tags"),
            separators={"genre": "|", "tags": " "},
            crosses=crosses,
        )


def test_a_column_named_as_a_cross_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"user x genre, .* is used more than once"):
        Schema(numeric=(), categorical=("user", "genre", "user x genre"), crosses=(("user", "genre"),))
