from hypothesis import given
from hypothesis import strategies as st

from features.hashing import hash_value, hash_values


def test_the_missing_value_hashes_as_on_spark() -> None:
    assert hash_value("") == -7444071767201028348


@given(st.lists(st.text()))
def test_many_values_hash_as_each_alone(values: list[str]) -> None:
    assert hash_values(values).tolist() == [hash_value(value) for value in values]


@given(st.text())
def test_a_hash_is_a_signed_64_bit_integer(value: str) -> None:
    assert -(1 << 63) <= hash_value(value) < 1 << 63
