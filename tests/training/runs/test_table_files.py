"""Tables of several files: the rows of one dataset are the same however they are stored."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake
from pyarrow import csv, parquet
from pyspark.sql import SparkSession

from tests.support.rows import read
from tests.support.training_runs import encoder_of, train, train_on
from tools.paths import ROOT
from training import datasets
from training.errors import SpecError
from training.parameters import TablesDataset
from training.spark.engine import SparkEngine

EXAMPLE = ROOT / "examples/tables"
DAYS = ("2026-11-01", "2026-11-02", "2026-11-03")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def by_day() -> list[tuple[str, pa.Table]]:
    """The example's interactions in three days, without the day as a column."""
    text = csv.ConvertOptions(column_types={name: pa.string() for name in ("user_id", "item_id", "device")})
    rows = csv.read_csv(EXAMPLE / "interactions.csv", convert_options=text)
    return [(day, rows.slice(number * 1_000, 1_000)) for number, day in enumerate(DAYS)]


def one_csv(folder: Path) -> dict[str, Any]:
    whole = [rows.append_column("day", pa.array([day] * rows.num_rows)) for day, rows in by_day()]
    csv.write_csv(pa.concat_tables(whole), folder / "interactions.csv")
    return {"path": "interactions.csv"}


def partitioned_parquet(folder: Path) -> dict[str, Any]:
    for day, rows in by_day():
        place = folder / "Käufe und Klicks" / f"day={day}"
        place.mkdir(parents=True)
        for number in range(2):
            parquet.write_table(rows.slice(number * 500, 500), place / f"part {number}.parquet", row_group_size=200)
    (folder / "Käufe und Klicks" / "_SUCCESS").touch()
    return {"path": "Käufe und Klicks"}


def several_texts(folder: Path) -> dict[str, Any]:
    """Files with their columns in another order each, as Excel writes them on Windows, and with pandas' index."""
    names: list[str] = []
    for day, rows in by_day():
        dated = rows.append_column("day", pa.array([day] * rows.num_rows)).append_column("", pa.array(range(len(rows))))
        dated = dated.select(sorted(dated.column_names, reverse=bool(len(names) % 2)))
        csv.write_csv(dated, folder / f"{day}.csv", csv.WriteOptions(delimiter=";", quoting_style="needed"))
        text = (folder / f"{day}.csv").read_text(encoding="utf-8")
        (folder / f"{day}.csv").write_bytes(text.encode("cp1252"))
        names.append(f"{day}.csv")
    return {"path": names, "separator": ";", "encoding": "cp1252"}


def json_lines(folder: Path) -> dict[str, Any]:
    for day, rows in by_day():
        (folder / "clicks" / f"day={day}").mkdir(parents=True)
        lines = "".join(f"{json.dumps(row, default=str)}\n" for row in rows.to_pylist())
        (folder / "clicks" / f"day={day}" / "part-0.json").write_text(lines, encoding="utf-8")
    return {"path": "clicks"}


def delta_table(folder: Path) -> dict[str, Any]:
    """Partitions of a Delta table, beside files that its newest version no longer has."""
    whole = [rows.append_column("day", pa.array([day] * rows.num_rows)) for day, rows in by_day()]
    for content in (whole[0], pa.concat_tables(whole)):
        write_deltalake(folder / "clicks", content, mode="overwrite", partition_by=["day"])
    return {"path": "clicks"}


FILES: list[Callable[[Path], dict[str, Any]]] = [one_csv, partitioned_parquet, several_texts, json_lines]
STORED = [*FILES, delta_table]


def described(folder: Path, stored: Callable[[Path], dict[str, Any]]) -> Path:
    """A config of the example whose interactions are stored in this way, with their day as a category."""
    folder.mkdir(exist_ok=True)
    spec = yaml.safe_load((EXAMPLE / "dataset.yaml").read_text(encoding="utf-8"))
    for name in ("users", "items"):
        spec[name]["path"] = str(EXAMPLE / f"{name}.csv")
    spec["interactions"] = stored(folder)
    spec["categorical"] += ["day"]
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8")
    return folder / "dataset.yaml"


def options(folder: Path, stored: Callable[[Path], dict[str, Any]]) -> tuple[str, ...]:
    return ("--dataset", "tables", "--spec", str(described(folder, stored)), "--split", "time")


@pytest.mark.parametrize("stored", STORED)
def test_rows_are_those_of_the_same_table_as_csv(stored: Callable[[Path], dict[str, Any]], tmp_path: Path) -> None:
    frames = [
        read(TablesDataset(kind="tables", spec=described(tmp_path / way.__name__, way)))[0] for way in (one_csv, stored)
    ]
    columns = [*frames[0].columns]
    first, other = (frame.sort_values(columns, ignore_index=True) for frame in frames)
    pd.testing.assert_frame_equal(first, other)


@pytest.mark.spark
@pytest.mark.full
@pytest.mark.parametrize("stored", STORED)
def test_spark_makes_the_same_counts_of_them(
    stored: Callable[[Path], dict[str, Any]], spark: SparkSession, spark_log: Path, tmp_path: Path
) -> None:
    engine = SparkEngine(session=spark, log=spark_log)
    on_spark = train_on(engine, tmp_path / "spark", *options(tmp_path / "folder", stored))
    local = train(tmp_path / "local", *options(tmp_path / "file", one_csv))
    assert encoder_of(on_spark) == encoder_of(local)


@pytest.mark.parametrize("stored", FILES)
def test_the_copy_in_the_lake_has_the_files_and_their_folders_and_describes_itself(
    stored: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    path = described(tmp_path / "own", stored)
    dataset = TablesDataset(kind="tables", spec=path)
    datasets.materialize(dataset, tmp_path / "lake")
    copied = TablesDataset(kind="tables", spec=tmp_path / "lake" / "dataset.yaml")
    assert datasets.describe(copied).hash == datasets.describe(dataset).hash
    content = yaml.safe_load((tmp_path / "lake" / "dataset.yaml").read_text(encoding="utf-8"))
    assert not Path(content["interactions"]["path"]).is_absolute()


@pytest.mark.parametrize(
    ("name", "separator"), [("u.data", ","), ("u.data.gz", ","), ("u.tsv.old", "\t"), ("u.jsonl", ","), ("u", ",")]
)
def test_text_whose_columns_are_named_is_read_alike_from_its_copy(tmp_path: Path, name: str, separator: str) -> None:
    rows = "".join(f"{row % 2}{separator}{row}\n" for row in range(20)).encode()
    (tmp_path / name).write_bytes(gzip.compress(rows) if name.endswith(".gz") else rows)
    spec = {"interactions": {"path": name, "columns": ["clicked", "n"]}, "label": {"column": "clicked"}}
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump({**spec, "numeric": ["n"]}))
    dataset = TablesDataset(kind="tables", spec=tmp_path / "dataset.yaml")
    datasets.materialize(dataset, tmp_path / "lake")
    pd.testing.assert_frame_equal(read(dataset)[0], read(dataset, tmp_path / "lake")[0])


def test_a_delta_table_names_its_own_columns(tmp_path: Path) -> None:
    path = described(tmp_path, lambda folder: {**delta_table(folder), "columns": ["clicked"]})
    with pytest.raises(SpecError, match=r"`columns` of .*clicks, which is a Delta table.* Leave them out"):
        datasets.describe(TablesDataset(kind="tables", spec=path))


def test_a_new_file_and_a_moved_one_change_the_identity(tmp_path: Path) -> None:
    dataset = TablesDataset(kind="tables", spec=described(tmp_path, partitioned_parquet))
    before = datasets.describe(dataset).hash
    folder = tmp_path / "Käufe und Klicks"
    file = folder / "day=2026-11-01" / "part 0.parquet"
    assert datasets.describe(dataset).hash == before
    (folder / "day=2026-11-04").mkdir()
    moved = file.rename(folder / "day=2026-11-04" / file.name)
    later = datasets.describe(dataset).hash
    parquet.write_table(parquet.read_table(moved, partitioning=None), file)
    assert len({before, later, datasets.describe(dataset).hash}) == 3
