"""Whole runs that pass over users who were forgotten, on both engines."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pyspark.sql import SparkSession

from features.bundle import Bundle
from features.hashing import hash_value
from recommend import histories
from recommend.forgotten import change
from recommend.stored import FOLDER
from tests.support.training_runs import train
from tests.training.unit.test_forgotten import dataset_of
from tools.paths import ROOT
from training import work
from training.datasets.progress import silent
from training.engines.spark.engine import SparkEngine

EXAMPLE = ROOT / "examples" / "tables"
GONE, STAYS = "u001", "u002"


@pytest.fixture(scope="module")
def forgotten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list with one of the example's users."""
    file = tmp_path_factory.mktemp("list") / "forgotten.json"
    change(file, lambda before: before.with_user(GONE))
    return file


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Those of a training on the example's tables, with the users' keys as a feature."""
    folder = tmp_path_factory.mktemp("tables") / "copy"
    shutil.copytree(EXAMPLE, folder)
    content = yaml.safe_load((folder / "dataset.yaml").read_text())
    content["categorical"].append("user_id")
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    return ["--dataset", "tables", "--spec", str(folder / "dataset.yaml"), "--split", "time"]


def test_a_run_has_no_row_of_them(arguments: list[str], forgotten: Path, tmp_path: Path) -> None:
    made = train(tmp_path, *arguments, "--forgotten", str(forgotten))
    users = pd.read_csv(EXAMPLE / "interactions.csv")["user_id"]
    assert sum(made.result.rows.values()) == (users != GONE).sum() < len(users)
    file = tmp_path / FOLDER / histories.FILE
    assert (histories.has(file, GONE), histories.has(file, STAYS)) == (False, True)
    bundle = Bundle.load(Path(made.result.bundle))
    encoder, column = bundle.click_model.encoder, bundle.schema.categories.index("user_id")
    known = {*encoder.hashes[encoder.offsets[column] : encoder.offsets[column + 1]].tolist()}
    assert (hash_value(GONE) in known, hash_value(STAYS) in known) == (False, True)


def test_no_intermediate_files_of_another_list_are_used(
    arguments: list[str], forgotten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs: list[str] = []

    def begin(_folder: Path, made_from: str) -> list[str]:
        inputs.append(made_from)
        raise InterruptedError

    monkeypatch.setattr(work, "begin", begin)
    for more in ((), ("--forgotten", str(forgotten)), ("--forgotten", str(tmp_path / "there is none"))):
        with pytest.raises(InterruptedError):
            train(tmp_path, *arguments, *more)
    assert inputs[0] == inputs[2] != inputs[1]


@pytest.mark.spark
@pytest.mark.parametrize("one_row_per", [False, True])
def test_spark_reads_no_row_of_them(spark: SparkSession, spark_log: Path, tmp_path: Path, *, one_row_per: bool) -> None:
    dataset = dataset_of(tmp_path / "data", [1.0, 2.0, 3.0], one_row_per=one_row_per)
    list_ = tmp_path / "forgotten.json"
    before = change(list_, lambda before: before.with_user("2"))
    engine = SparkEngine(session=spark, log=spark_log)
    for passed_over, rows in ((before, 6), (before.with_user("2"), 4)):
        source = engine.open_source(dataset, None, silent, passed_over)
        _, read = source.prepare(tmp_path / str(rows))
        assert read["rows"] == rows
