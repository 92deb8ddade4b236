"""How the values of slices read, wherever their rows are."""

import numpy as np
import pytest
from pyspark.sql import SparkSession

from features.hashing import hash_values
from features.schema import Schema
from training.metrics import slices
from training.metrics.slices import SHOWN_LENGTH, SlicedColumn, value_names
from training.preparation.prepare import CATEGORIES, RAW

pytestmark = pytest.mark.spark

SCHEMA = Schema(numeric=(), categorical=("a", "b"))


@pytest.mark.parametrize("first_rows", [1, 2, 10_000])
def test_names_are_found_among_the_first_rows_or_after_them(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, first_rows: int
) -> None:
    monkeypatch.setattr(slices, "FIRST_ROWS", first_rows)
    rows = [([1, 7], ["one", ""]), ([2, 8], ["two", "x" * 100]), ([1, 8], ["one", "x" * 100]), ([3, 7], ["three", ""])]
    frame = spark.createDataFrame(rows, f"{CATEGORIES} array<bigint>, {RAW} array<string>").coalesce(1)
    columns = [
        SlicedColumn(index=1, hashes=np.array([8, 7])),
        SlicedColumn(index=0, hashes=np.array([3, 99, 1])),
    ]
    assert list(value_names(frame, SCHEMA, columns)) == ["x" * SHOWN_LENGTH, "", "three", "", "one"]


def test_of_a_field_with_several_values_the_one_is_named(spark: SparkSession) -> None:
    rows = [([0, 0], ["", "Drama|Comedy"]), ([0, 0], ["", " Noir || War "]), ([0, 0], ["", ""])]
    frame = spark.createDataFrame(rows, f"{CATEGORIES} array<bigint>, {RAW} array<string>")
    schema = Schema(numeric=(), categorical=("a", "b"), separators={"b": "|"})
    columns = [SlicedColumn(index=1, hashes=hash_values(["War", "Western", "Comedy", ""]))]
    assert list(value_names(frame, schema, columns)) == ["War", "", "Comedy", ""]


def test_no_columns_need_no_names(spark: SparkSession) -> None:
    assert list(value_names(spark.range(1), SCHEMA, [])) == []
