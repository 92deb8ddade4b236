"""Spark's expressions say of values what plain Python and NumPy say of them."""

from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.hashing import hash_several, hash_value, hash_whole_numbers, split_values
from features.values import NUMBER, YEAR_FIRST, YEAR_LAST, TimeFormat, is_number, key_of, microseconds
from tests.support.prepared_rows import prepared as prepared_by_kernels
from tests.training.runs.test_several import SCHEMA
from training.datasets.described.fields import is_click
from training.datasets.described.spec import Label
from training.datasets.described.texts import text_of
from training.engines.spark import hashes, values
from training.kernels.columns import FOLD, LABEL, PART, RECORD_HASH
from training.kernels.split import Division
from training.parameters import TrainingParameters

pytestmark = pytest.mark.spark

SEPARATORS = (" ", "|", ".", "||", "\\", "$^", "a", "\t", "é", "😀", "\\E")
BERLIN = ZoneInfo("Europe/Berlin")
LONG = st.integers(-(1 << 63), (1 << 63) - 1)
LABELS = (
    Label(column="x"),
    Label(column="x", at_least=2.5),
    Label(column="x", equals=3),
    Label(column="x", equals=True),
    Label(column="x", equals="yes"),
    Label(column="x", positive=("yes",), negative=("no", "1")),
)


def lists(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Many at a time, since each list is a job."""
    return st.lists(one, min_size=1, max_size=200)


def on_spark(spark: SparkSession, given: Sequence[Any], kind: str, expression: Callable[[Column], Column]) -> list[Any]:
    """What the expression makes of these values."""
    frame = spark.createDataFrame([(value,) for value in given], f"x {kind}").coalesce(1)
    return [row[0] for row in frame.select(expression(F.col("x"))).collect()]


@settings(max_examples=5, deadline=None)
@given(lists(st.text()))
def test_a_text_is_hashed_as_plain_python_does(spark: SparkSession, texts: list[str]) -> None:
    assert on_spark(spark, texts, "string", F.xxhash64) == [hash_value(text) for text in texts]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(LONG, LONG), min_size=1, max_size=200))
def test_a_whole_number_is_hashed_from_a_seed_of_its_own(spark: SparkSession, pairs: list[tuple[int, int]]) -> None:
    frame = spark.createDataFrame(pairs, "value bigint, seed bigint").coalesce(1)
    found = [row[0] for row in frame.select(hashes.seeded(F.col("value"), F.col("seed"))).collect()]
    value, seed = np.array(pairs, dtype=np.int64).T
    assert found == hash_whole_numbers(value.copy(), seed.astype(np.uint64)).view(np.int64).tolist()


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(SEPARATORS), st.data())
def test_a_field_is_split_as_plain_python_does(spark: SparkSession, separator: str, data: st.DataObject) -> None:
    part = st.text(st.sampled_from([*" ab\t\n|.\\$^E", "é", "😀", "\u00a0"]), max_size=3)
    fields = data.draw(lists(st.lists(part, max_size=5).map(separator.join)))
    found = on_spark(spark, fields, "string", lambda text: values.values_of(text, separator))
    assert found == [split_values(field, separator) for field in fields]
    hashed = on_spark(spark, fields, "string", lambda text: hashes.several_hashes(text, separator))
    assert hashed == [hash_several(field, separator).tolist() for field in fields]


@settings(max_examples=5, deadline=None)
@given(
    lists(st.text(max_size=12) | st.from_regex(NUMBER, fullmatch=True) | st.floats().map(str) | st.integers().map(str))
)
def test_a_text_is_a_number_where_plain_python_says_so(spark: SparkSession, texts: list[str]) -> None:
    found = on_spark(spark, texts, "string", lambda text: values.number_of(text, values.TEXT))
    assert found == [float(text) if is_number(text) else None for text in texts]


@settings(max_examples=5, deadline=None)
@given(lists(st.integers(-(1 << 53) + 1, (1 << 53) - 1).map(float) | st.just(float("nan"))))
def test_a_whole_float_is_the_text_of_its_digits(spark: SparkSession, numbers: list[float]) -> None:
    found = on_spark(spark, numbers, "double", lambda value: values.text_of(value, values.DOUBLE))
    assert found == [text_of(number) for number in numbers]


@settings(max_examples=5, deadline=None)
@given(lists(st.from_regex(r"-?[0-9]{1,20}(\.0*)?|[0-9]\.[0-9]+e\+1[4-9]|.{0,5}", fullmatch=True)))
def test_a_key_is_written_as_plain_python_writes_it(spark: SparkSession, texts: list[str]) -> None:
    assert on_spark(spark, texts, "string", values.key_of) == [key_of(text) for text in texts]


@pytest.mark.parametrize("label", LABELS, ids=str)
def test_a_label_is_a_click_by_the_same_rule(spark: SparkSession, label: Label) -> None:
    texts = ["", "0", "1", "1.0", "2", "3", "3.0", "2.5", "yes", "no", "True", "false", "x", "1e0", " 1"]
    found = on_spark(spark, texts, "string", lambda text: values.click_of(text, label))
    assert found == [is_click(text, label) if text else None for text in texts]


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(list(TimeFormat)), st.sampled_from(["UTC", "Europe/Berlin"]), st.data())
def test_a_time_is_read_as_plain_python_does(
    spark: SparkSession, form: TimeFormat, zone: str, data: st.DataObject
) -> None:
    """Around the hours that summer time leaves out or repeats too."""
    words = st.from_regex(YEAR_FIRST, fullmatch=True) | st.from_regex(YEAR_LAST, fullmatch=True)
    often = st.datetimes().map(lambda time: time.strftime("%Y-%m-%d %H:%M:%S"))
    turned = st.sampled_from(
        ["2026-03-29 02:30", "2026-10-25 02:30", "2026-10-25T02:30:00.5", "2026-02-30", "25/10/2026"]
    )
    number = st.floats(-1e14, 1e14).map(str) | st.integers(-(10**13), 10**15).map(str)
    texts = data.draw(lists(words | often | turned | number | st.text(max_size=8)))
    found = on_spark(spark, texts, "string", lambda text: values.time_of(text, form, zone))
    expected = [microseconds(text, form, ZoneInfo(zone)) for text in texts]
    assert dict(zip(texts, found, strict=True)) == dict(zip(texts, expected, strict=True))


def test_rows_are_hashed_and_divided_as_the_kernels_do_it(spark: SparkSession) -> None:
    given = [
        {"age": age, "tags": tags, "city": city, "device": "tv", "genres": "x|y"}
        for age in (7.0, -0.0, float("nan"))
        for tags in ("a b", "")
        for city in ("Köln", "")
    ]
    expected = prepared_by_kernels(given, SCHEMA, label=[0, 1] * 6).to_pylist()
    names = [hashes.feature(SCHEMA, name) for name in SCHEMA.features]
    types = ", ".join(f"{name} {'double' if name == names[0] else 'string'}" for name in names)
    rows = [(number % 2, *(one[name] for name in SCHEMA.features)) for number, one in enumerate(given)]
    typed = spark.createDataFrame(rows, f"{LABEL} int, {types}").coalesce(1)
    typed = typed.withColumn(names[0], F.when(~F.isnan(names[0]), F.col(names[0])))
    parameters = TrainingParameters(seed=1 << 40)
    division = Division.of(parameters, lambda _share: 0, rows=12)
    found = hashes.divided(hashes.prepared(typed, SCHEMA, {}), division).collect()
    for one, row in zip(expected, found, strict=True):
        for name in one.keys() - {"_numbers", "_raw"}:
            assert row[name] == one[name], name
    record = np.array([row[RECORD_HASH] for row in found])
    assert [row[PART] for row in found] == division.parts(record, None).tolist()
    assert [row[FOLD] for row in found] == division.folds(record).tolist()
