"""Columns that leak the label are named, in either direction; honest columns are not."""

from typing import Any

import numpy as np
import numpy.typing as npt

from features.schema import Schema
from training.evaluation.leaks import warnings

SCHEMA = Schema(numeric=("price", "age"), categorical=("shop",))


def rows(count: int = 2_000) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Informative but not leaking inputs float64[n, 4], and the labels."""
    generator = np.random.default_rng(0)
    label = (generator.random(count) < 0.2).astype(np.int32)
    inputs = np.column_stack([generator.normal(label, 1), *generator.random((3, count))])
    return inputs, label


def test_honest_columns_are_not_named() -> None:
    assert warnings(*rows(), SCHEMA) == ()


def test_a_number_that_tells_the_label_is_named_with_its_auc() -> None:
    inputs, label = rows()
    inputs[:, 1] = label + np.random.default_rng(1).normal(0, 0.1, len(label))
    (warning,) = warnings(inputs, label, SCHEMA)
    assert warning.startswith("The column age alone predicts the label (AUC 1.0000).")


def test_so_is_one_that_tells_it_by_being_missing() -> None:
    inputs, label = rows()
    inputs[label == 1, 0] = np.nan
    assert "column price" in warnings(inputs, label, SCHEMA)[0]


def test_so_is_a_category_by_its_rate() -> None:
    inputs, label = rows()
    inputs[:, 2] = np.where(label, 0.9, 0.1)
    assert "column shop" in warnings(inputs, label, SCHEMA)[0]


def test_infinite_numbers_and_a_column_without_any_do_no_harm() -> None:
    inputs, label = rows()
    inputs[:5, 0] = [np.inf, -np.inf, np.inf, -np.inf, np.nan]
    inputs[:, 1] = np.nan
    assert warnings(inputs, label, SCHEMA) == ()


def test_a_sample_of_one_label_says_nothing() -> None:
    inputs, label = rows()
    assert warnings(inputs, np.zeros_like(label), SCHEMA) == ()
