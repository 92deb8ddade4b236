from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.hashing import hash_value
from features.schema import Schema
from training.parameters import TrainingParameters
from training.preparation.encode import FEATURES, count, encode, fold_encoder
from training.preparation.prepare import CATEGORIES, NUMBERS
from training.preparation.split import FOLD

pytestmark = pytest.mark.spark

SCHEMA = Schema(numeric=("age",), categorical=("city", "device"))
PARAMETERS = TrainingParameters(folds=3, min_category_rows=4, smoothing=5.0)


@settings(max_examples=5)
@given(st.lists(st.text(), min_size=1, max_size=200))
def test_spark_hashes_a_value_as_plain_python_does(spark: SparkSession, values: list[str]) -> None:
    frame = spark.createDataFrame([(value,) for value in values], "value string")
    hashed = [row[0] for row in frame.select(F.xxhash64("value")).collect()]
    assert hashed == [hash_value(value) for value in values]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """600 rows with frequent, rare and missing values."""
    random = np.random.default_rng(7)
    city = [f"city {value}" if value else "" for value in random.zipf(1.4, 600) % 60]
    return pd.DataFrame(
        {
            "label": random.integers(0, 2, 600),
            "age": np.where(random.random(600) < 0.2, np.nan, random.normal(40, 10, 600)),
            "city": [hash_value(value) for value in city],
            "device": [hash_value(value) for value in random.choice(["phone", "desktop"], 600)],
            FOLD: random.integers(0, 3, 600),
            "id": [f"{index:03d}" for index in range(600)],
        }
    )


def prepared(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    """The rows as `training.preparation.prepare` leaves them."""
    return spark.createDataFrame(rows).select(
        F.col("label").cast("int").alias("label"),
        F.array("age").alias(NUMBERS),
        F.array("city", "device").alias(CATEGORIES),
        F.col(FOLD).cast("int").alias(FOLD),
        "id",
    )


def inputs(encoded: DataFrame) -> pd.DataFrame:
    """The inputs by name, in the order of the ids."""
    table = encoded.toPandas().sort_values("id")
    return pd.DataFrame(np.stack(table[FEATURES].tolist()), columns=list(SCHEMA.encoded_features))


def expected(rows: pd.DataFrame, column: str, *, out_of_fold: bool) -> Iterator[tuple[np.float32, np.float32]]:
    """Rate and log count of each row by the definition, one row at a time."""
    average = rows["label"].mean()
    sizes = rows.groupby(column)["label"].transform("size")
    rare = sizes < PARAMETERS.min_category_rows
    for place, (_, row) in enumerate(rows.iterrows()):
        same = rare if rare.iloc[place] else rows[column] == row[column]
        counted = rows[same & (rows[FOLD] != row[FOLD])] if out_of_fold else rows[same]
        rate = (counted["label"].sum() + PARAMETERS.smoothing * average) / (len(counted) + PARAMETERS.smoothing)
        yield np.float32(rate), np.float32(0.0 if rare.iloc[place] else np.log1p(sizes.iloc[place]))


@pytest.mark.parametrize("out_of_fold", [True, False])
def test_spark_encodes_every_row_as_the_definition_says_to_the_bit(
    spark: SparkSession, rows: pd.DataFrame, tmp_path: Path, *, out_of_fold: bool
) -> None:
    frame = prepared(spark, rows)
    encoder = fold_encoder(count(frame, SCHEMA, PARAMETERS, folder=tmp_path / "counts"), SCHEMA, PARAMETERS)
    encoded = inputs(encode(frame, SCHEMA, encoder, out_of_fold=out_of_fold, extra=["id"]))
    np.testing.assert_array_equal(encoded["age"], rows["age"])
    for column in SCHEMA.categorical:
        actual = list(zip(encoded[f"{column}_rate"], encoded[f"{column}_log_count"], strict=True))
        assert actual == list(expected(rows, column, out_of_fold=out_of_fold))


def test_held_out_rows_are_encoded_as_the_service_encodes_them(
    spark: SparkSession, rows: pd.DataFrame, tmp_path: Path
) -> None:
    counted = count(prepared(spark, rows), SCHEMA, PARAMETERS, folder=tmp_path / "counts")
    encoder = fold_encoder(counted, SCHEMA, PARAMETERS)
    unseen = rows.assign(city=hash_value("a city that nobody has seen"))
    encoded = inputs(encode(prepared(spark, unseen), SCHEMA, encoder, out_of_fold=False, extra=["id"]))
    plain = encoder.encoder.encode(unseen[["age"]].to_numpy(), unseen[["city", "device"]].to_numpy())
    np.testing.assert_array_equal(encoded.to_numpy(), plain)
