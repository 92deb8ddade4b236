"""Tasks get the same rows, in the same order, whether their Python reads the files or Spark does."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.support.criteo_rows import write
from training.engines.reading.sources import open_source
from training.engines.spark.source import SparkSource
from training.engines.spark.store import delivered
from training.engines.spark.store.delivered import ROWS_AT_ONCE, FileTooLargeError, over_files
from training.files import opened, source
from training.parameters import CriteoDataset
from training.platform import SWITCH

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
READ = pa.schema([("task", pa.int64()), ("text", pa.string()), ("held", pa.bool_())])


@pytest.fixture
def by_spark(spark: "SparkSession") -> Iterator["SparkSession"]:
    """The session with the switch on."""
    before = spark.conf.get(ROWS_AT_ONCE)
    spark.conf.set(SWITCH, "true")
    yield spark
    spark.conf.unset(SWITCH)
    spark.conf.set(ROWS_AT_ONCE, str(before))


def rows(session: "SparkSession", files: list[list[Path]]) -> list[tuple[Any, ...]]:
    """What each task finds in its files."""

    def work(number: int) -> Iterator[pa.RecordBatch]:
        for file in files[number]:
            with opened(file) as stream:
                row = {"task": number, "text": stream.read().decode(), "held": isinstance(source(file), BytesIO)}
            yield pa.RecordBatch.from_pylist([row], schema=READ)

    return [tuple(row) for row in over_files(session, files, work, READ).collect()]


@pytest.mark.full
def test_spark_hands_each_task_its_own_files(by_spark: "SparkSession", tmp_path: Path) -> None:
    places = {name: tmp_path / f"{name} [1].tsv" for name in "abc"}
    for name, place in places.items():
        place.write_text(name * 3)
    files = [[places["b"]], [places["c"], places["a"]], [places["b"]], [places["a"]]]
    expected = [(0, "bbb"), (1, "ccc"), (1, "aaa"), (2, "bbb"), (3, "aaa")]
    assert rows(by_spark, files) == [(*row, True) for row in expected]
    by_spark.conf.set(SWITCH, "false")
    assert rows(by_spark, files) == [(*row, False) for row in expected]


@pytest.mark.full
def test_a_dataset_is_prepared_alike(by_spark: "SparkSession", tmp_path: Path) -> None:
    dataset = CriteoDataset(kind="criteo", path=str(write(tmp_path / "rows.tsv", 2_000)))
    found = open_source(dataset, None, lambda *_, **__: None)
    given = SparkSource(session=by_spark, opened=found, log=tmp_path / "log")
    prepared, number = given.prepare(tmp_path / "by spark")
    by_spark.conf.set(SWITCH, "false")
    read, expected = given.prepare(tmp_path / "by python")
    assert number == expected
    assert number["rows"] == 2000
    contents = [[group.read(["_piece", "label"]) for group in found.groups] for found in (prepared, read)]
    assert contents[0] == contents[1]


def test_a_file_that_spark_can_t_hand_over_is_refused(
    by_spark: "SparkSession", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large").write_text("rows")
    monkeypatch.setattr(delivered, "MOST_BYTES", 3)
    with pytest.raises(FileTooLargeError, match=r"large has 4 bytes.*azure\.training_binary_files"):
        rows(by_spark, [[tmp_path / "large"]])
