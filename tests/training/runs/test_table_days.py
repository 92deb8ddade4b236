"""Tables in days: what a run over the latest ones counts, reuses and learns."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from pyarrow import csv, parquet
from pyspark.sql import SparkSession

from features.bundle import COUNTS
from tests.support.training_runs import Run, train, train_on
from tools.paths import ROOT
from training.engines.spark import join
from training.engines.spark.engine import SparkEngine

EXAMPLE = ROOT / "examples/tables"
DAYS = ("2026-11-01", "2026-11-02", "2026-11-03")
ROWS = 1_000
"""Interactions of a day."""


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def rows() -> pa.Table:
    return csv.read_csv(EXAMPLE / "interactions.csv")


def in_days(folder: Path, *days: str) -> tuple[str, ...]:
    """A config of the latest two of these days of the example, in two files each."""
    for day in days:
        place = folder / "clicks" / f"day={day}"
        place.mkdir(parents=True)
        for part in range(2):
            own = rows().slice(DAYS.index(day) * ROWS + part * ROWS // 2, ROWS // 2)
            parquet.write_table(own, place / f"part-{part}.parquet")
    return configured(folder, {"path": "clicks", "days": {"column": "day", "last": 2}})


def configured(folder: Path, interactions: object) -> tuple[str, ...]:
    spec = yaml.safe_load((EXAMPLE / "dataset.yaml").read_text(encoding="utf-8"))
    for name in ("users", "items"):
        spec[name]["path"] = str(EXAMPLE / f"{name}.csv")
    spec["interactions"] = interactions
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return "--dataset", "tables", "--spec", str(folder / "dataset.yaml")


def counted(run: Run) -> dict[str, pa.Table]:
    """The run's tables of counts, by the name of the day."""
    files = (Path(run.result.bundle) / COUNTS).iterdir()
    return {file.name.partition(".")[0]: parquet.read_table(file) for file in files}


def test_the_model_is_that_of_the_same_rows_and_of_merged_days(tmp_path: Path) -> None:
    for name in ("first", "all", "file"):
        (tmp_path / name).mkdir()
    csv.write_csv(rows().slice(ROWS), tmp_path / "file" / "interactions.csv")
    one_file = train(tmp_path / "run-file", *configured(tmp_path / "file", "interactions.csv"))
    yesterday = train(tmp_path / "run-first", *in_days(tmp_path / "first", *DAYS[:2]))
    given = in_days(tmp_path / "all", *DAYS)
    today = train(tmp_path / "run-today", *given, "--champion", yesterday.result.bundle)
    afresh = train(tmp_path / "run-afresh", *given)
    assert any("counts of 1 of 2 days reused" in line for line in today.progress)
    assert afresh.result.metrics == one_file.result.metrics
    for name in ("model.txt", "encoder/hashes.npy", "encoder/rates.npy"):
        assert Path(today.result.bundle, name).read_bytes() == Path(afresh.result.bundle, name).read_bytes()
    assert counted(today) == counted(afresh)
    assert {*counted(afresh)} == {*DAYS[1:]}


@pytest.mark.spark
@pytest.mark.full
def test_on_spark_the_counts_of_each_day_are_the_same(spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    given = in_days(tmp_path, *DAYS)
    engine = SparkEngine(session=spark, log=spark_log)
    assert counted(train_on(engine, tmp_path / "spark", *given)) == counted(train(tmp_path / "local", *given))


@pytest.mark.spark
@pytest.mark.full
def test_days_that_spark_mixes_in_a_join_are_counted_together(
    spark: SparkSession, spark_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "SENT_BYTES", 0)
    csv.write_csv(rows().slice(ROWS), tmp_path / "interactions.csv")
    alone = train(tmp_path / "run-file", *configured(tmp_path, "interactions.csv"))
    engine = SparkEngine(session=spark, log=spark_log)
    joined = train_on(engine, tmp_path / "joined", *in_days(tmp_path, *DAYS))
    assert counted(joined) == counted(alone)
    assert {*counted(joined)} == {"all"}
