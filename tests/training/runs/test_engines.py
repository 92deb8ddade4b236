"""Same rows and seed on both engines: bit-identical parts, counts and encoder, and models of equal quality."""

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import yaml
from pyspark.sql import SparkSession

from features.bundle import Bundle
from features.encoder import FOLDER
from features.reference import FILE
from tests.support.training_runs import Run, train, train_on
from tools.paths import ROOT
from training import datasets
from training.datasets.described.spec import load_spec
from training.engines.reading import blocks
from training.engines.spark.engine import SparkEngine
from training.engines.spark.native import fit as native
from training.parameters import SyntheticDataset
from training.protocols import FitError

pytestmark = pytest.mark.spark

FITS = {"": (), ", fitted by SynapseML": ("--fit", "synapseml")}
"""The fits of engine spark, the default first."""
EXAMPLE = ROOT / "examples" / "tables"
CROSSES = [["favourite_genre", "genre"], ["device", "country"]]
FACTORS = ["favourite_genre", "genre"]
OPTIONS = {
    "synthetic rows": (),
    "tables by time": ("--dataset", "tables", "--split", "time", "--spec"),
}
IN_TEST = ("synthetic rows", ", fitted by SynapseML")
"""What `make test` has; `test_spark_engine.py` has tables and the other fit."""
PAIRS = [pytest.param(pair, marks=[] if pair == IN_TEST else [pytest.mark.full]) for pair in product(OPTIONS, FITS)]
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


def crossed_example(folder: Path) -> Path:
    """The dataset config of the example's tables, with crosses and factors."""
    described = load_spec(EXAMPLE / "dataset.yaml").model_copy(update={"crosses": CROSSES, "factors": FACTORS})
    file = folder / "dataset.yaml"
    file.write_text(yaml.safe_dump(described.model_dump(mode="json")))
    return file


@pytest.fixture(scope="module", params=PAIRS, ids="".join)
def pair(
    request: pytest.FixtureRequest, spark: SparkSession, spark_log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    rows, fit = request.param
    folder, options = tmp_path_factory.mktemp("engines"), OPTIONS[rows]
    if "--spec" in options:
        options = (*options, str(crossed_example(folder)))
    on_spark = SparkEngine(session=spark, log=spark_log)
    return Pair(
        local=train(folder / "local", *options, processes=2),
        spark=train_on(on_spark, folder / "spark", *options, *FITS[fit]),
    )


def test_every_row_is_in_the_same_part(pair: Pair) -> None:
    assert pair.local.result.rows == pair.spark.result.rows
    local, spark = ([record.record for record in bundle.click_model.golden] for bundle in pair.bundles)
    assert local == spark


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


@pytest.mark.full
@pytest.mark.parametrize("tasks", [1, 2])
def test_by_the_same_fit_the_models_are_the_same_to_the_bit(
    tasks: int, spark: SparkSession, spark_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.materialize(SyntheticDataset(rows=3_000), tmp_path / "lake")
    options = ("--dataset", "criteo", "--path", str(tmp_path / "lake/dt=all/part-00000.tsv"))
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100_000)  # eight pieces of Spark's
    monkeypatch.setattr(native, "slots", lambda _spark: tasks)
    on_spark = train_on(SparkEngine(session=spark, log=spark_log), tmp_path / "spark", *options)
    local = train(tmp_path / "local", *options)
    one, other = (Bundle.load(Path(run.result.bundle)) for run in (local, on_spark))
    for name in ("model.txt", "golden.jsonl"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes()


def test_engine_local_has_no_fit_by_synapseml(tmp_path: Path) -> None:
    with pytest.raises(
        FitError, match=r"needs Spark, but engine local runs without it\. Set `training\.engine` to spark"
    ):
        train(tmp_path, "--fit", "synapseml")
