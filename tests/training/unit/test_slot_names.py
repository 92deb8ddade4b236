"""The names of the inputs in a model file."""

from features.schema import Schema
from training.model.fitted import slot_names


def test_names_that_lightgbm_refuses_stay_unique_among_those_that_it_takes() -> None:
    """`a?` becomes `a_`, which `a!` already has, and with its place `a__2`, which is a column of its own."""
    names = slot_names(Schema(numeric=("a__2", "a!", "a?", "a__3", "b c"), categorical=()))
    assert names == ["a__2", "a_", "a__3", "a__3_3", "b_c"]
    assert slot_names(Schema(numeric=("a!", "a?"), categorical=())) == ["a_", "a__1"]
