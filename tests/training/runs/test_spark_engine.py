"""Engine spark: Spark reads and counts, and malformed rows are reported with the same messages."""

import gzip
import os
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from importlib import import_module
from pathlib import Path
from typing import NoReturn
from zipfile import ZipFile
from zipimport import zipimporter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from features.bundle import Bundle
from features.hashing import MISSING_HASH
from tests.support.rows import read
from tests.support.training_runs import encoder_of, prepared, train, train_on
from tools.paths import ROOT
from training.errors import DatasetError, TruncatedFileError
from training.kernels.columns import FOLD, LABEL, PART, RAW, RECORD_HASH
from training.kernels.count import ValueCounts, count
from training.kernels.split import Division
from training.local import chunks
from training.local.counting import LocalCounts
from training.local.engine import LocalEngine
from training.parameters import CriteoDataset, TablesDataset, TrainingParameters
from training.spark.counted import SHARED, SparkCounts, shared
from training.spark.engine import SparkEngine
from training.spark.rows import divided
from training.spark.scans import interruptible, unpacked
from training.spark.workers import forget_archives

ROW = "\t".join(["1", *["5"] * 13, *["68fd1e64"] * 26])
OTHER = "0" + ROW[1:]


def test_workers_look_for_modules_in_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("packed_module.py", "")
    monkeypatch.syspath_prepend(str(tmp_path / "packed.zip"))
    import_module("packed_module")
    forget_archives()
    assert not [finder for finder in sys.path_importer_cache.values() if isinstance(finder, zipimporter)]
    assert str(tmp_path / "packed.zip") not in sys.path


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
def test_counts_say_what_the_same_counts_say_in_one_process(spark: SparkSession) -> None:
    """Of values that are missing, and of the lowest and highest hashes; one column has none."""
    drawn = np.random.default_rng(1)

    def column() -> ValueCounts:
        hashes = drawn.choice(np.array([*range(-90, 90), MISSING_HASH, 2**62, -(2**62)]), 400)
        return count(hashes, drawn.random(400) < 0.5, drawn.integers(0, 3, 400, dtype=np.int32), number=3)

    none = count(np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0, np.int32), number=3)
    held = LocalCounts(columns=[column(), none, column()], folds=3)
    shares = [(share["share"], bytes(share["counts"])) for part in shared(held, 5) for share in part.to_pylist()]
    on_spark = SparkCounts(table=spark.createDataFrame(shares, from_arrow_schema(SHARED)), columns=3)
    assert np.array_equal(on_spark.values_by_rows(9), held.values_by_rows(9))
    for needed in (np.full(3, rows) for rows in (1, 5)):
        found = on_spark.frequent(needed)
        for name, value in asdict(held.frequent(needed)).items():
            assert np.array_equal(getattr(found, name), value), name
    for at in range(3):
        assert [on_spark.distinct(at), on_spark.missing(at)] == [held.distinct(at), held.missing(at)]


FAULTS = {
    "a number": ("u1,i1,1,abc", "number age: 1 of 4 fields is not a number: line 5 'abc'"),
    "a label": ("u1,i1,yes,3", "label clicked: 1 of 4 fields is neither 0 nor 1"),
    "a key": (",i1,1,3", "key user: 1 of 4 fields is empty: line 5 ''"),
    "too many fields": ("u1,i1,1,3,4", "1 of 4 rows is not split as the header is: line 5 has 5 fields"),
    "the first line again": ("user,item,clicked,age", "number age: 1 of 4 fields is not a number: line 5 'age'"),
    "another encoding": ("ü1,i1,1,3", "is not UTF-8: line 5, byte 1 is 0xfc"),
}


@pytest.mark.spark
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_table_is_named_by_line(fault: str, spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    line, complaint = FAULTS[fault]
    (tmp_path / "seen.csv").write_text(f"user,item,clicked,age\nu1,i1,1,3\nu2,i1,0,\nu2,i2,0,4\n{line}\n", "latin-1")
    content = {"interactions": "seen.csv", "label": {"column": "clicked"}, "numeric": ["age"], "users": {"key": "user"}}
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(content))
    dataset = TablesDataset(kind="tables", spec=tmp_path / "dataset.yaml")
    engine = SparkEngine(session=spark, log=spark_log)
    with pytest.raises(DatasetError, match=re.escape(complaint)):
        prepared(engine, dataset, tmp_path / "rows")


MOMENT = datetime(2026, 1, 31, 5, tzinfo=UTC)
SPARK_LACKS = {
    "time": (pa.timestamp("ns"), MOMENT),
    "elsewhere": (pa.timestamp("ns", "Asia/Tokyo"), MOMENT),
    "far": (pa.timestamp("us", "Asia/Tokyo"), MOMENT),
    "lasted": (pa.duration("s"), timedelta(days=1, seconds=90)),
    "clock": (pa.time64("us"), clock(5, 30)),
    "alarm": (pa.time32("ms"), clock(5, 30)),
    "uuid": (pa.binary(16), b"0123456789abcdef"),
    "large": (pa.uint64(), 2**64 - 1),
    "word": (pa.dictionary(pa.int32(), pa.string()), "a"),
}
"""Types of Parquet that Spark does not have, or reads as others, with a value of each."""


@pytest.mark.spark
@pytest.mark.parametrize("bits_of_times", [64, 96])
def test_types_that_spark_lacks_are_read_as_on_engine_local(
    bits_of_times: int, spark: SparkSession, spark_log: Path, tmp_path: Path
) -> None:
    """Spark itself writes times of 96 bits unless it is told not to."""
    columns: dict[str, object] = {"user": ["u1", "u2"], "item": ["i1", "i2"], "clicked": [0, 1]}
    names: list[object] = []
    for name, (kind, value) in SPARK_LACKS.items():
        column = pa.array([value, None], kind)
        columns[name] = column
        columns[f"in_{name}"] = pa.StructArray.from_arrays([column], names=["a"])
        columns[f"of_{name}"] = pa.ListArray.from_arrays(pa.array([0, 2, 2], pa.int32()), column)
        names += [name, f"in_{name}.a", {"column": f"of_{name}", "separator": "|"}]
    never_missing = pa.struct([pa.field("a", pa.timestamp("ns"), nullable=False)])
    columns["whole"] = pa.array([{"a": MOMENT}] * 2, never_missing)
    table = pa.table(columns)
    parquet.write_table(table, tmp_path / "seen.parquet", use_deprecated_int96_timestamps=bits_of_times == 96)
    dataset = parquet_dataset(tmp_path, [*names, "whole.a"])
    rows, _ = prepared(SparkEngine(session=spark, log=spark_log), dataset, tmp_path / "rows")
    batch = pa.RecordBatch.from_pydict({RAW: [row[RAW] for row in rows.frame.orderBy(LABEL).collect()]})
    local, schema = read(dataset)
    found = pd.DataFrame(unpacked(batch).column(RAW).to_pylist()).set_axis(schema.categorical, axis="columns")
    pd.testing.assert_frame_equal(found, local[[*schema.categorical]])


@pytest.mark.spark
@pytest.mark.parametrize(
    "values",
    [pa.array([0.5, 1]).cast(pa.float16()), pa.array([1, 2]).cast(pa.decimal256(60, 2)), pa.array([{"a": None}] * 2)],
    ids=lambda values: str(values.type),
)
def test_a_column_that_spark_cannot_read_is_named(
    values: pa.Array, spark: SparkSession, spark_log: Path, tmp_path: Path
) -> None:
    columns = {"user": ["u1", "u2"], "item": ["i1", "i2"], "clicked": [0, 1], "odd": values}
    parquet.write_table(pa.table(columns), tmp_path / "seen.parquet")
    is_struct = pa.types.is_struct(values.type)
    dataset = parquet_dataset(tmp_path, ["odd.a" if is_struct else "odd"])
    engine = SparkEngine(session=spark, log=spark_log)
    kind = "null" if is_struct else str(values.type)
    with pytest.raises(DatasetError, match=re.escape(f"seen.parquet, column odd: Spark cannot read the type {kind}. ")):
        prepared(engine, dataset, tmp_path / "rows")


def parquet_dataset(folder: Path, categorical: list[object]) -> TablesDataset:
    content = {"interactions": "seen.parquet", "label": {"column": "clicked"}, "categorical": categorical}
    (folder / "dataset.yaml").write_text(yaml.safe_dump({**content, "users": {"key": "user"}}))
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


@pytest.mark.spark
def test_a_gzip_file_that_was_cut_off_is_named(spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    (tmp_path / "day.gz").write_bytes(gzip.compress("\n".join([ROW, OTHER] * 500).encode())[:-20])
    dataset = CriteoDataset(kind="criteo", path=str(tmp_path / "day.gz"))
    engine = SparkEngine(session=spark, log=spark_log)
    with pytest.raises(TruncatedFileError, match=r"day\.gz is truncated or damaged"):
        prepared(engine, dataset, tmp_path / "rows")


@pytest.mark.spark
@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=200))
def test_rows_are_divided_as_on_engine_local(spark: SparkSession, hashes: list[int]) -> None:
    division = Division.of(TrainingParameters(seed=1 << 40), lambda _share: 0, rows=len(hashes))
    rows = spark.createDataFrame([(one,) for one in hashes], f"{RECORD_HASH} bigint").coalesce(1)
    found = divided(rows, division).collect()
    record = np.array(hashes)
    assert [row[PART] for row in found] == division.parts(record, None).tolist()
    assert [row[FOLD] for row in found] == division.folds(record).tolist()


@pytest.mark.spark
def test_equal_rows_are_numbered_as_on_engine_local(spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    (tmp_path / "day").write_text("\n".join([ROW, OTHER, OTHER, ROW.replace("68fd1e64", "0"), OTHER]))
    dataset = CriteoDataset(kind="criteo", path=str(tmp_path / "day"))
    rows, _ = prepared(SparkEngine(session=spark, log=spark_log), dataset, tmp_path / "spark")
    with closing(LocalEngine(data_size=1)) as engine:
        local, _ = prepared(engine, dataset, tmp_path / "local")
        expected = [
            row
            for file in local.files
            for block in chunks.read(file)
            for row in block.select([RECORD_HASH, LABEL]).to_pylist()
        ]
    found = [row.asDict() for row in rows.frame.select(RECORD_HASH, LABEL).collect()]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert len({row[RECORD_HASH] for row in found}) == 4  # a click and another row of one content share theirs


TABLES = ("--dataset", "tables", "--spec", str(ROOT / "examples/tables/dataset.yaml"), "--split", "time")


@pytest.mark.spark
def test_tables_that_spark_joins_make_the_same_counts_and_golden_records(
    spark: SparkSession, spark_log: Path, tmp_path: Path
) -> None:
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
def test_spark_joins_the_one_table_that_there_is(spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
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


@pytest.mark.spark
def test_spark_leaves_out_what_engine_local_does(spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    """Events of a click model; of item a the latest row counts, of b one of two of the same time."""
    events = ["user,sku,at,n,hit", "Anna,a,01.02.2026,1,0", "anna ,a,01.02.2026,2,1", "ben,b,02.02.2026,1,0"]
    events += ["ben,b,01.02.2026,0,1", ",b,01.02.2026,1,1", "ben,c,03.02.2026,1,1", "ben,a,03.02.2026,1,1"]
    items = ["sku,price,at", 'A,"1,5",01.01.2026', 'a,"2,5",02.01.2026', 'b,"3,5",01.01.2026', 'b,"4,5",01.01.2026']
    for name, lines in (("events", events), ("items", items)):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    rule = {"lowercase": True, "strip": True}
    content = {
        "interactions": {"path": "events.csv", "missing_keys": "drop", "where": {"n": {"above": 0}}},
        "users": {"key": "user", "keys": rule},
        "items": {"path": "items.csv", "key": "sku", "keys": rule, "decimal": ",", "duplicates": "drop"},
        "label": {"column": "hit"},
        "numeric": ["price"],
        "timestamp": {"column": "at", "format": "day-first"},
        "one_row_per": ["sku", "at"],
    }
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(content))
    dataset = TablesDataset(kind="tables", spec=tmp_path / "dataset.yaml")
    rows, counts = prepared(SparkEngine(session=spark, log=spark_log), dataset, tmp_path / "spark")
    with closing(LocalEngine(data_size=1)) as engine:
        local, expected = prepared(engine, dataset, tmp_path / "local")
        blocks = [block for file in local.files for block in chunks.read(file)]
    own = [(row[RECORD_HASH], row[LABEL]) for block in blocks for row in block.select([RECORD_HASH, LABEL]).to_pylist()]
    assert sorted((row[RECORD_HASH], row[LABEL]) for row in rows.frame.collect()) == sorted(own)
    assert [label for _, label in sorted(own, key=str)].count(1) == 2  # Anna's events of a day are one click
    assert len(own) == 3
    left_out = {"outside interactions": 1, "keyless": 1, "repeated items": 2, "unknown items": 1}
    assert {name: counts[name] for name in left_out} == {name: expected[name] for name in left_out} == left_out
