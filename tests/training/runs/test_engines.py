"""Same rows and seed on both engines: bit-identical parts, counts and encoder, and models of equal quality."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from features.bundle import Bundle
from features.encoder import FOLDER
from features.reference import FILE
from tests.support.kinds_of_columns import write_kinds
from tests.support.training_runs import Run, train, train_on
from training.spark.engine import SparkEngine

pytestmark = pytest.mark.spark

CRITEO, FILMS, KINDS = "rows like Criteo's", "films by time", "every kind of column by time"
PAIRS = [CRITEO, *(pytest.param(rows, marks=pytest.mark.full) for rows in (FILMS, KINDS))]
"""`make test` has Criteo's rows; `test_spark_engine.py` has tables."""
SAME_AUC = 0.005
"""Of 800 held-out rows; `make bench-training` compares a million."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The same run on both engines."""

    local: Run
    spark: Run

    @property
    def bundles(self) -> list[Bundle]:
        return [Bundle.load(Path(run.result.bundle)) for run in (self.local, self.spark)]


@pytest.fixture(scope="module", params=PAIRS)
def pair(
    request: pytest.FixtureRequest, spark: SparkSession, spark_log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    folder, options = tmp_path_factory.mktemp("engines"), tuple[str, ...]()
    if request.param == FILMS:
        options = ("--dataset", "films", "--users", "200", "--films", "100", "--split", "time")
    elif request.param == KINDS:
        options = ("--dataset", "tables", "--spec", str(write_kinds(folder)), "--split", "time")
    on_spark = SparkEngine(session=spark, log=spark_log)
    return Pair(
        local=train(folder / "local", *options, processes=2),
        spark=train_on(on_spark, folder / "spark", *options),
    )


def test_every_row_is_in_the_same_part(pair: Pair) -> None:
    assert pair.local.result.rows == pair.spark.result.rows
    local, spark = ([record.record for record in bundle.click_model.golden] for bundle in pair.bundles)
    assert local == spark
    known = [
        [(part["column"], part["value"], part["rows"], part["clicks"]) for part in run.result.metrics["keys"]]
        for run in (pair.local, pair.spark)
    ]
    assert known[0] == known[1]


def test_the_encoder_is_the_same_to_the_bit(pair: Pair) -> None:
    local, spark = (
        {file.name: file.read_bytes() for file in (bundle.path / "schema.json", *(bundle.path / FOLDER).iterdir())}
        for bundle in pair.bundles
    )
    assert local == spark
    factors = {"first_vectors.npy", "second_vectors.npy"} if pair.bundles[0].schema.factored else set()
    assert local.keys() == {"schema.json", "layout.json", "hashes.npy", "rates.npy", "log_counts.npy"} | factors


def test_the_columns_of_the_reference_are_the_same(pair: Pair) -> None:
    local, spark = (bundle.click_model.reference for bundle in pair.bundles)
    assert local is not None, FILE
    assert spark is not None, FILE
    shared = local.columns.keys() & spark.columns.keys()
    assert {name: local.columns[name] for name in shared} == {name: spark.columns[name] for name in shared}


def test_the_models_are_of_one_quality_and_so_is_what_they_are_compared_with(pair: Pair) -> None:
    local, spark = (run.result.metrics for run in (pair.local, pair.spark))
    assert local["auc"] == pytest.approx(spark["auc"], abs=SAME_AUC)
    assert local["baselines"] == spark["baselines"]
    assert local["best_reachable"] == spark["best_reachable"]


def test_both_serve_the_mean_of_three_models_that_split_by_other_inputs(pair: Pair) -> None:
    for bundle in pair.bundles:
        text = (bundle.path / "model.txt").read_text(encoding="utf-8")
        split_by = re.findall(r"^split_feature=(.*)$", text, re.MULTILINE)
        assert len(split_by) == 3 * bundle.metadata.metrics["best_iteration"]
        assert len({tuple(model) for model in np.split(np.array(split_by), 3)}) == 3


def test_a_bundle_names_its_engine_and_that_engines_libraries(pair: Pair) -> None:
    local, spark = (bundle.metadata for bundle in pair.bundles)
    assert [metadata.hyperparameters["engine"] for metadata in (local, spark)] == ["local", "spark"]
    assert set(spark.library_versions) - set(local.library_versions) == {"pyspark", "synapseml"}
