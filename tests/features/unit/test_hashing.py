import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import MISSING_HASH, hash_several, hash_value, hash_values, pair_hashes, split_values


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


def pair_hash(first: int, second: int) -> int:
    (found,) = pair_hashes(np.array([first]), np.array([second])).tolist()
    return int(found)


def test_a_pair_s_second_hash_is_hashed_from_the_first_one_as_seed() -> None:
    assert pair_hash(0, 0) == 0x34C96ACDCADB1BBB  # XXH64 of eight zero bytes from seed 0
    assert pair_hash(1, 2) != pair_hash(2, 1)


@pytest.mark.parametrize("pair", [(MISSING_HASH, 7), (7, MISSING_HASH), (MISSING_HASH, MISSING_HASH)])
def test_a_pair_without_one_of_its_values_is_missing(pair: tuple[int, int]) -> None:
    assert pair_hash(*pair) == MISSING_HASH
