"""Engine spark: its tasks read with the kernels, and report malformed rows with the same messages."""

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn
from zipfile import ZipFile
from zipimport import zipimporter

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from features.bundle import Bundle
from features.hashing import MISSING_HASH
from features.schema import CRITEO
from tests.support.prepared_rows import prepared
from tests.support.training_runs import encoder_of, train, train_on
from tests.training.runs.test_several import SCHEMA
from tools.paths import ROOT
from training.datasets.errors import MalformedRowError
from training.datasets.progress import silent
from training.engines.counted import LocalCounts
from training.engines.reading import blocks
from training.engines.spark import join
from training.engines.spark.counted import SparkCounts, shared
from training.engines.spark.engine import SparkEngine
from training.engines.spark.interruptible import interruptible
from training.engines.spark.store import scans
from training.engines.spark.store.blobs import packed, unpacked
from training.engines.spark.store.groups import answers, groups_of, rows_beside
from training.engines.spark.store.paths import stored
from training.engines.spark.workers import forget_archives
from training.kernels import split
from training.kernels.count import ValueCounts, count
from training.parameters import CriteoDataset, TrainingParameters

ROW = "\t".join(["1", *["5"] * 13, *["68fd1e64"] * 26])
OTHER = "0" + ROW[1:]


def test_blobs_hold_blocks_of_any_columns() -> None:
    rows = [
        {"age": 7.0, "tags": "a b", "city": "Köln", "device": "tv", "genres": "x|y"},
        {"age": 8.0, "tags": "", "city": "", "device": "", "genres": "z"},
    ]
    block = prepared(rows, SCHEMA, label=[0, 1])
    table = pa.Table.from_pylist([packed(block), packed(block.slice(1))])
    assert list(unpacked(table.to_batches())) == [block, block.slice(1)]


def test_workers_look_for_modules_in_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("packed_module.py", "")
    monkeypatch.syspath_prepend(str(tmp_path / "packed.zip"))
    import_module("packed_module")
    forget_archives()
    assert not [finder for finder in sys.path_importer_cache.values() if isinstance(finder, zipimporter)]
    assert str(tmp_path / "packed.zip") not in sys.path


@pytest.mark.spark
def test_tasks_read_what_spark_stored_in_order_and_nothing_else(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "a b{1}%20;x"
    groups = groups_of(stored(spark.range(0, 10, 1, 3), folder))
    parquet.write_table(pa.table({"id": [99]}), folder / "_left_by_a_task_that_was_lost.parquet")
    assert groups == groups_of(stored(spark.range(5), folder))
    assert [row["id"] for rows in rows_beside(groups, ["id"]) for row in rows] == list(range(10))
    of_tasks = answers(spark, groups, partial(rows_beside, columns=["id"]))
    assert [row["id"] for task in of_tasks for rows in task for row in rows] == list(range(10))


@pytest.mark.spark
def test_a_signal_ends_a_job_before_its_tasks_end(spark: SparkSession, tmp_path: Path) -> None:
    class EndedError(Exception):
        pass

    def end(_number: int, _frame: object) -> NoReturn:
        raise EndedError

    run, ended, may_end = os.getpid(), tmp_path / "ended", tmp_path / "may end"

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        os.kill(run, signal.SIGUSR1)
        for _ in range(600):  # a minute, if nobody ends this task
            if may_end.exists():
                break
            time.sleep(0.1)
        ended.touch()
        yield from batches

    before = signal.signal(signal.SIGUSR1, end)
    try:
        with pytest.raises(EndedError):
            interruptible(spark.range(0, 1, 1, 1).mapInArrow(work, "id bigint"), DataFrame.toPandas)
        assert not ended.exists()
    finally:
        signal.signal(signal.SIGUSR1, before)
        may_end.touch()


@pytest.mark.spark
def test_what_many_tasks_have_found_is_added_up_on_its_way(
    spark: SparkSession, spark_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1_000)
    monkeypatch.setattr(scans, "ADDED_AT_ONCE", 1)
    (tmp_path / "day").write_text("\n".join([ROW, OTHER, OTHER] * 20))
    dataset, parameters = CriteoDataset(kind="criteo", path=str(tmp_path / "day")), TrainingParameters()
    engine = SparkEngine(session=spark, log=spark_log)
    rows, read = engine.open_source(dataset, None, silent).prepare(tmp_path / "rows")
    found = split.Tally.of(rows.divided(parameters, count=read["rows"]).scan(split.tallying(CRITEO)))
    assert (sum(found.rows.values()), sum(found.clicks.values())) == (60, 20)


@pytest.mark.spark
def test_of_several_wrong_rows_the_first_is_named_by_file_and_line(
    spark: SparkSession, spark_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1_000)
    lines = [ROW, OTHER] * 20
    lines[37] = OTHER + "\tlast"
    lines[29] = OTHER.replace("5", "five", 1)
    (tmp_path / "day").write_text("\n".join(lines))
    engine = SparkEngine(session=spark, log=spark_log)
    with pytest.raises(MalformedRowError, match=r"day, line 30: 'five' in the numeric column int00 is not a number"):
        train_on(engine, tmp_path / "run", "--dataset", "criteo", "--path", str(tmp_path / "day"))


@pytest.mark.spark
def test_counts_in_shares_say_what_the_same_counts_say_in_one_process(spark: SparkSession, tmp_path: Path) -> None:
    """Of values in several shares, some of them missing, and of the lowest and highest hashes."""
    drawn = np.random.default_rng(1)

    def column() -> ValueCounts:
        hashes = drawn.choice(np.array([*range(-90, 90), MISSING_HASH, 2**62, -(2**62)]), 400)
        return count(hashes, drawn.random(400) < 0.5, drawn.integers(0, 3, 400, dtype=np.int32), number=3)

    parts = [[column() for _ in CRITEO.categorical] for _ in range(2)]
    held = LocalCounts(columns=[ValueCounts.merge(tables) for tables in zip(*parts, strict=True)], folds=3)
    stored = pa.Table.from_batches([share for part in parts for share in shared(part, 4)])
    frame = spark.createDataFrame(stored.to_pandas(), from_arrow_schema(stored.schema))
    shares = SparkCounts.added(frame, columns=len(CRITEO.categorical), folds=3, folder=tmp_path / "shares")
    assert np.array_equal(shares.values_by_rows(9), held.values_by_rows(9))
    for needed in (np.full(len(CRITEO.categorical), rows) for rows in (1, 5)):
        found = shares.frequent(needed)
        for name, value in asdict(held.frequent(needed)).items():
            assert np.array_equal(getattr(found, name), value), name
    assert [shares.distinct(3), shares.missing(3)] == [held.distinct(3), held.missing(3)]
    assert np.array_equal(shares.most_frequent(3, 10), held.most_frequent(3, 10))


TABLES = ("--dataset", "tables", "--spec", str(ROOT / "examples/tables/dataset.yaml"), "--split", "time")


@pytest.mark.spark
def test_tables_that_spark_joins_make_the_same_counts_and_golden_records(
    spark: SparkSession, spark_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "SENT_BYTES", 0)
    joined = train_on(SparkEngine(session=spark, log=spark_log), tmp_path / "joined", *TABLES)
    local = train(tmp_path / "local", *TABLES)
    one, other = (Path(run.result.bundle) for run in (joined, local))
    assert encoder_of(joined) == encoder_of(local)
    assert [golden.record for golden in Bundle.load(one).click_model.golden] == [
        golden.record for golden in Bundle.load(other).click_model.golden
    ]
    lines = ([line for line in run.progress if "have a known user and item" in line] for run in (joined, local))
    assert next(lines) == next(lines) != []


@pytest.mark.spark
@pytest.mark.full
def test_spark_joins_the_one_table_that_there_is(
    spark: SparkSession, spark_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "SENT_BYTES", 0)
    content = yaml.safe_load((ROOT / "examples/tables/dataset.yaml").read_text())
    content |= {"numeric": ["minutes"], "categorical": ["user_id", "genre"], "users": {"key": "user_id"}}
    content["interactions"] = str(ROOT / "examples/tables/interactions.csv")
    content["items"]["path"] = str(ROOT / "examples/tables/items.csv")
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(content))
    arguments = ("--dataset", "tables", "--spec", str(tmp_path / "dataset.yaml"), "--split", "time")
    joined = train_on(SparkEngine(session=spark, log=spark_log), tmp_path / "joined", *arguments)
    local = train(tmp_path / "local", *arguments)
    assert encoder_of(joined) == encoder_of(local)
    assert any("3,000 of 3,000 interactions have a known item" in line for line in joined.progress)
