"""Columns that hold several values: split, counted and encoded on Spark as plain Python would do it row by row."""

from collections import Counter
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.bundle import MODEL, Bundle
from features.hashing import hash_several, hash_value
from features.schema import Schema
from tests.support.bundles import make_bundle, random_records, to_arrays
from training.evaluation.champion import score_with_bundle
from training.evaluation.reference import Sample
from training.parameters import TrainingParameters
from training.preparation.encode import FEATURES, count, encode, fold_encoder
from training.preparation.prepare import numbers_and_hashes
from training.preparation.several import VALUES
from training.preparation.split import FOLD

pytestmark = pytest.mark.spark

SCHEMA = Schema(numeric=("age",), categorical=("tags", "city", "genres"), separators={"genres": "|", "tags": " "})
PARAMETERS = TrainingParameters(folds=3, min_category_rows=4, smoothing=5.0)
SEPARATORS = (" ", "|", ".", "||", "\\", "$^", "a", "\t", "é", "😀", "\\E")


def prepared(spark: SparkSession, rows: pd.DataFrame, schema: Schema = SCHEMA) -> DataFrame:
    """Raw rows as `training.preparation.prepare` leaves them, with `label`, the fold and `id`."""
    kept = [name for name in ("id", FOLD) if name in rows]
    typed = spark.createDataFrame(rows).withColumn("label", F.col("label").cast("int"))
    return typed.select("label", *numbers_and_hashes(schema), *(F.col(name).cast("int").alias(name) for name in kept))


def values_of(text: str, separator: str) -> set[str]:
    """The definition, in its plainest form."""
    return {part.strip(" ") for part in text.split(separator)} - {""} or {""}


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_spark_splits_a_field_as_plain_python_does(spark: SparkSession, data: st.DataObject) -> None:
    separator = data.draw(st.sampled_from(SEPARATORS))
    part = st.text(st.sampled_from([*" ab\t\n|.\\$^E", "é", "😀", "\u00a0"]), max_size=3)
    fields = data.draw(st.lists(st.lists(part, max_size=5).map(separator.join), min_size=1, max_size=100))
    schema = Schema(numeric=(), categorical=("c",), separators={"c": separator})
    frame = spark.createDataFrame([(field,) for field in fields], "c string").select(*numbers_and_hashes(schema))
    assert [row[VALUES][0] for row in frame.collect()] == [hash_several(field, separator).tolist() for field in fields]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """400 rows with one to four tags and genres, frequent, rare, repeated and missing."""
    random = np.random.default_rng(7)

    def field(separator: str) -> str:
        codes = random.zipf(1.4, random.integers(0, 5)) % 40
        return separator.join(f"v{code}" if code else "" for code in codes)

    return pd.DataFrame(
        {
            "label": random.integers(0, 2, 400),
            "age": random.normal(40, 10, 400),
            "tags": [field(" ") for _ in range(400)],
            "city": random.choice(["Bonn", "Köln", ""], 400),
            "genres": [field(" | ") for _ in range(400)],
            FOLD: random.integers(0, 3, 400),
            "id": range(400),
        }
    )


def by_definition(rows: pd.DataFrame, name: str, *, out_of_fold: bool) -> list[tuple[np.float32, np.float32]]:
    """Mean rate and mean log count of each row, one row and one value at a time."""
    separator = SCHEMA.several.get(SCHEMA.categorical.index(name))
    held = [values_of(text, separator) if separator else {text} for text in rows[name]]
    seen = [
        (value, fold, label) for own, fold, label in zip(held, rows[FOLD], rows["label"], strict=True) for value in own
    ]
    of_value = Counter(value for value, _, _ in seen)
    average = sum(label for _, _, label in seen) / len(seen)
    rare = {value for value, number in of_value.items() if number < PARAMETERS.min_category_rows}

    def pair(value: str, fold: int) -> tuple[np.float32, np.float32]:
        same = rare if value in rare else {value}
        labels = [label for other, of, label in seen if other in same and not (out_of_fold and of == fold)]
        rate = (sum(labels) + PARAMETERS.smoothing * average) / (len(labels) + PARAMETERS.smoothing)
        return np.float32(rate), np.float32(0.0 if value in rare else np.log1p(of_value[value]))

    known = {(value, fold): pair(value, fold) for value, fold, _ in seen}
    expected = []
    for own, fold in zip(held, rows[FOLD], strict=True):
        rates, log_counts = zip(*(known[value, fold] for value in sorted(own, key=hash_value)), strict=True)
        expected.append(
            (
                np.float32(sum(map(float, rates)) / len(own)),
                np.float32(sum(map(float, log_counts)) / len(own)),
            )
        )
    return expected


@pytest.mark.parametrize("out_of_fold", [True, False])
def test_every_row_is_encoded_as_the_definition_says_to_the_bit(
    spark: SparkSession, rows: pd.DataFrame, tmp_path: Path, *, out_of_fold: bool
) -> None:
    frame = prepared(spark, rows)
    encoder = fold_encoder(count(frame, SCHEMA, PARAMETERS, folder=tmp_path / "counts"), SCHEMA, PARAMETERS)
    table = encode(frame, SCHEMA, encoder, out_of_fold=out_of_fold, extra=["id"]).toPandas().sort_values("id")
    encoded = pd.DataFrame(np.stack(table[FEATURES].tolist()), columns=list(SCHEMA.encoded_features))
    for name in SCHEMA.categorical:
        actual = list(zip(encoded[f"{name}_rate"], encoded[f"{name}_log_count"], strict=True))
        assert actual == by_definition(rows, name, out_of_fold=out_of_fold)


def test_rates_by_hand(spark: SparkSession, tmp_path: Path) -> None:
    schema = Schema(numeric=(), categorical=("genres",), separators={"genres": "|"})
    parameters = TrainingParameters(folds=2, min_category_rows=1, smoothing=2.0)
    rows = pd.DataFrame(
        {
            "genres": ["a|b", "a", "b|a|b", ""],
            "label": [1, 0, 1, 0],
            FOLD: [0, 0, 1, 1],
            "id": [0, 1, 2, 3],
        }
    )
    frame = prepared(spark, rows, schema)
    counted = count(frame, schema, parameters, folder=tmp_path / "counts")
    table = {row["hash"]: (row["rows_0"], row["rows_1"], row["clicks_0"], row["clicks_1"]) for row in counted.collect()}
    assert table == {hash_value("a"): (2, 1, 1, 1), hash_value("b"): (1, 1, 1, 1), hash_value(""): (0, 1, 0, 0)}
    # 6 values in all, 4 of clicked rows: 2/3 on average, of which two rows are mixed in.
    a, b, missing = (2 + 4 / 3) / (3 + 2), (2 + 4 / 3) / (2 + 2), (0 + 4 / 3) / (1 + 2)
    encoder = fold_encoder(counted, schema, parameters)
    served = encode(frame, schema, encoder, out_of_fold=False, extra=["id"]).toPandas().sort_values("id")
    assert np.stack(served[FEATURES].tolist())[:, 0] == pytest.approx([(a + b) / 2, a, (a + b) / 2, missing], abs=1e-7)
    # By the rows of the other fold: a was seen once there for fold 0 and twice for fold 1, b once for each.
    a_0, b_0, a_1, b_1 = (1 + 4 / 3) / 3, (1 + 4 / 3) / 3, (1 + 4 / 3) / 4, (1 + 4 / 3) / 3
    trained = encode(frame, schema, encoder, out_of_fold=True, extra=["id"]).toPandas().sort_values("id")
    expected = [(a_0 + b_0) / 2, a_0, (a_1 + b_1) / 2, 2 / 3]
    assert np.stack(trained[FEATURES].tolist())[:, 0] == pytest.approx(expected, abs=1e-7)


def test_a_sample_on_the_driver_is_encoded_as_the_rows_are(spark: SparkSession, tmp_path: Path) -> None:
    bundle = Bundle.load(make_bundle(tmp_path / "bundle", schema=SCHEMA, rows=300, trees=1))
    wider = Schema(
        numeric=("age",),
        categorical=("more", "genres", "city", "tags"),
        separators={"more": ",", "genres": "|", "tags": " "},
    )
    records = random_records(SCHEMA, 200, seed=3)
    rows = pd.DataFrame(records).assign(more="x,y", label=[index % 2 for index in range(200)])
    frame = prepared(spark, rows, wider).coalesce(1)
    inputs = bundle.encoder.encode(*to_arrays(SCHEMA, records))
    np.testing.assert_array_equal(Sample.of(frame, wider).inputs(SCHEMA, bundle.encoder), inputs)


def test_a_champion_takes_its_columns_of_several_values_from_wider_rows(spark: SparkSession, tmp_path: Path) -> None:
    wider = Schema(numeric=("age",), categorical=("genres", "city", "tags"), separators={"genres": "|", "tags": " "})
    assert_scored_alike(spark, tmp_path, own=SCHEMA, rows=wider)


def test_a_champion_that_takes_a_field_whole_can_be_compared_on_rows_that_are_split(
    spark: SparkSession, tmp_path: Path
) -> None:
    whole = Schema(numeric=("age",), categorical=("city", "tags", "genres"), separators={"tags": " "})
    assert_scored_alike(spark, tmp_path, own=whole, rows=SCHEMA)


def assert_scored_alike(spark: SparkSession, folder: Path, *, own: Schema, rows: Schema) -> None:
    """The bundle of the schema `own` gives prepared rows of the schema `rows` what LightGBM gives the records."""
    bundle = Bundle.load(make_bundle(folder / "bundle", schema=own, rows=500, trees=5))
    records = random_records(own, 200, seed=3)
    frame = prepared(spark, pd.DataFrame(records).assign(label=[index % 2 for index in range(200)]), rows)
    counts = score_with_bundle(frame, bundle, rows).toPandas()
    inputs = bundle.encoder.encode(*to_arrays(own, records))
    expected = lightgbm.Booster(model_file=bundle.path / MODEL).predict(inputs)
    found = np.sort(np.repeat(counts["probability"].to_numpy(), counts["rows"].to_numpy()))
    np.testing.assert_allclose(found, np.sort(expected), atol=1e-4)  # rows of a bin have one of their probabilities
