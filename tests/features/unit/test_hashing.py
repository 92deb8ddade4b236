import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import hash_several, hash_value, hash_values, split_values


def test_the_missing_value_hashes_as_in_every_bundle() -> None:
    assert hash_value("") == -7444071767201028348


@given(st.lists(st.text()))
def test_many_values_hash_as_each_alone(values: list[str]) -> None:
    assert hash_values(values).tolist() == [hash_value(value) for value in values]


@given(st.text())
def test_a_hash_is_a_signed_64_bit_integer(value: str) -> None:
    assert -(1 << 63) <= hash_value(value) < 1 << 63


@pytest.mark.parametrize(
    ("text", "separator", "values"),
    [
        ("Action Comedy", " ", ["Action", "Comedy"]),
        ("  Action   Comedy ", " ", ["Action", "Comedy"]),
        ("Drama|Sci-Fi | Drama||", "|", ["Drama", "Sci-Fi"]),
        ("Drama, Film noir", ",", ["Drama", "Film noir"]),
        ("a.b", ".", ["a", "b"]),
        ("a::b:c", "::", ["a", "b:c"]),
        ("\ta\t|b", "|", ["\ta\t", "b"]),
        ("", "|", [""]),
        (" | |", "|", [""]),
    ],
)
def test_a_field_is_split_at_its_separator(text: str, separator: str, values: list[str]) -> None:
    assert split_values(text, separator) == values


def test_the_order_of_values_and_their_number_make_no_difference() -> None:
    expected = sorted([hash_value("b"), hash_value("a")])
    assert hash_several("b|a", "|").tolist() == hash_several("a| b|a", "|").tolist() == expected
