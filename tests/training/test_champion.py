"""The champion is scored by its own encoder and model, and only where the comparison is fair."""

import lightgbm
import msgspec
import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql import types as spark_types

from features.bundle import MODEL, Bundle
from features.schema import Schema
from tests.support.bundles import make_bundle, random_records, to_arrays
from training.evaluation.champion import evaluate_champion, score_with_bundle
from training.parameters import TrainingParameters
from training.preparation.prepare import CATEGORIES, NUMBERS, numbers_and_hashes

pytestmark = pytest.mark.spark

SCHEMA = Schema(numeric=("price", "age"), categorical=("shop", "town"))
PARAMETERS = TrainingParameters()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return trained_with(Bundle.load(make_bundle(tmp_path_factory.mktemp("bundle") / "b", schema=SCHEMA)), PARAMETERS)


@pytest.fixture(scope="module")
def held_out(spark: SparkSession) -> DataFrame:
    """300 prepared rows with missing numbers and categories, and values that the champion has never seen."""
    records = random_records(SCHEMA, 300, seed=7, values=2_000)
    fields = [spark_types.StructField("label", spark_types.IntegerType())]
    fields += [spark_types.StructField(name, spark_types.DoubleType()) for name in SCHEMA.numeric]
    fields += [spark_types.StructField(name, spark_types.StringType()) for name in SCHEMA.categorical]
    rows = [(index % 3 // 2, *(record[name] for name in SCHEMA.features)) for index, record in enumerate(records)]
    raw = spark.createDataFrame(rows, spark_types.StructType(fields)).fillna("", [*SCHEMA.categorical])
    return raw.select("label", *numbers_and_hashes(SCHEMA))


def trained_with(bundle: Bundle, parameters: TrainingParameters) -> Bundle:
    """The bundle as if it had been trained with these parameters."""
    metadata = msgspec.structs.replace(bundle.metadata, hyperparameters=parameters.model_dump(mode="json"))
    return msgspec.structs.replace(bundle, metadata=metadata)


def test_spark_gives_the_probabilities_of_the_bundles_own_model(held_out: DataFrame, bundle: Bundle) -> None:
    counts = score_with_bundle(held_out, bundle, SCHEMA).toPandas()
    inputs = bundle.encoder.encode(*to_arrays(SCHEMA, random_records(SCHEMA, 300, seed=7, values=2_000)))
    expected = lightgbm.Booster(model_file=bundle.path / MODEL).predict(inputs)
    assert counts["tied"].all()  # so that a bin's probability is that of each of its rows
    probability = np.repeat(counts["probability"].to_numpy(), counts["rows"].to_numpy())
    np.testing.assert_allclose(np.sort(probability), np.sort(expected), atol=1e-12)
    assert counts["clicks"].sum() == 100


def test_a_champion_of_the_same_split_is_measured_on_the_same_rows(held_out: DataFrame, bundle: Bundle) -> None:
    champion = evaluate_champion(held_out, bundle, SCHEMA, PARAMETERS, name="version 3")
    assert champion.not_comparable is None
    assert champion.evaluation is not None
    assert champion.evaluation.rows == 300
    assert champion.scalars()["auc"] == champion.evaluation.auc


def test_new_columns_and_another_order_do_not_hinder_the_comparison(held_out: DataFrame, bundle: Bundle) -> None:
    wider = Schema(numeric=("weight", "age", "price"), categorical=("town", "street", "shop"))
    price, age = F.col(NUMBERS)[0], F.col(NUMBERS)[1]
    shop, town = F.col(CATEGORIES)[0], F.col(CATEGORIES)[1]
    rows = held_out.select(
        "label",
        F.array(F.lit(1.0), age, price).alias(NUMBERS),
        F.array(town, F.lit(1), shop).alias(CATEGORIES),
    )
    expected = evaluate_champion(held_out, bundle, SCHEMA, PARAMETERS).evaluation
    assert evaluate_champion(rows, bundle, wider, PARAMETERS).evaluation == expected


def test_a_champion_that_needs_other_columns_is_not_compared(held_out: DataFrame, bundle: Bundle) -> None:
    other = Schema(numeric=("price", "town"), categorical=("shop",))
    champion = evaluate_champion(held_out, bundle, other, PARAMETERS)
    assert champion.evaluation is None
    assert champion.not_comparable == "it needs columns that this dataset does not have as such (age, town)"


@pytest.mark.parametrize(
    ("earlier", "fair"),
    [
        ({"seed": 43}, False),
        ({"split": "time"}, False),
        ({"train_fraction": 0.9}, False),
        ({"train_fraction": 0.7}, True),
        ({"num_leaves": 8}, True),
    ],
)
def test_a_champion_that_has_seen_the_rows_is_not_compared(
    held_out: DataFrame, bundle: Bundle, earlier: dict[str, object], *, fair: bool
) -> None:
    champion = evaluate_champion(
        held_out, trained_with(bundle, TrainingParameters.model_validate(earlier)), SCHEMA, PARAMETERS
    )
    assert (champion.evaluation is not None) is fair
    if not fair:
        assert "trained on another split" in str(champion.not_comparable)
