"""The values of categories, hashed on Spark as plain Python would do it, and split where a field holds several."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from features.hashing import hash_several, hash_value
from features.schema import Schema
from training.engines.spark.prepare import numbers_and_hashes
from training.kernels.columns import CATEGORIES, VALUES

pytestmark = pytest.mark.spark

SEPARATORS = (" ", "|", ".", "||", "\\", "$^", "a", "\t", "é", "😀", "\\E")


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=200))
def test_spark_hashes_a_value_as_plain_python_does(spark: SparkSession, values: list[str]) -> None:
    frame = spark.createDataFrame([(value,) for value in values], "c string")
    hashed = frame.select(*numbers_and_hashes(Schema(numeric=(), categorical=("c",)))).collect()
    assert [row[CATEGORIES][0] for row in hashed] == [hash_value(value) for value in values]


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_spark_splits_a_field_as_plain_python_does(spark: SparkSession, data: st.DataObject) -> None:
    separator = data.draw(st.sampled_from(SEPARATORS))
    part = st.text(st.sampled_from([*" ab\t\n|.\\$^E", "é", "😀", "\u00a0"]), max_size=3)
    fields = data.draw(st.lists(st.lists(part, max_size=5).map(separator.join), min_size=1, max_size=100))
    schema = Schema(numeric=(), categorical=("c",), separators={"c": separator})
    frame = spark.createDataFrame([(field,) for field in fields], "c string").select(*numbers_and_hashes(schema))
    assert [row[VALUES][0] for row in frame.collect()] == [hash_several(field, separator).tolist() for field in fields]
