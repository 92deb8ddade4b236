"""The datasets' files: generated rows in Criteo's format, and tables derived from the README's example."""

import gzip
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import yaml
from pyarrow import csv, parquet

from tests.e2e.paths import Data
from training.datasets import materialize
from training.parameters import SyntheticDataset

ROWS = 3_000
SUFFIXES = {"csv": ".csv", "tsv": ".tsv", "gzip": ".csv.gz", "parquet": ".parquet"}
TABLES = ("interactions", "users", "items")
LATER_ROWS = 300
"""Rows of the example that are appended once more in the later state, as if new data had arrived."""


def setting(data: Data, place: Path, examples: Path, *, later: bool) -> dict[str, Any]:
    """Write the files of `data` into `place`, in their first or `later` state; returns the setting `dataset`.

    `examples` is the folder of the README's tables.
    """
    place.mkdir(parents=True, exist_ok=True)
    match data.source:
        case "synthetic":
            return {"kind": "synthetic", "rows": ROWS, "seed": 2 if later else 1}
        case "criteo":
            return {"kind": "criteo", "path": str(_criteo(data, place, later=later))}
        case _:
            return {"kind": "tables", "spec": str(_tables(data, place, examples, later=later))}


@contextmanager
def hidden(place: Path) -> Iterator[None]:
    """Only the dataset config is left in `place`."""
    files = [one for one in place.iterdir() if one.suffix != ".yaml"]
    with TemporaryDirectory(dir=place.parent) as aside:
        away = [file.rename(Path(aside) / file.name) for file in files]
        yield
        for file in away:
            file.rename(place / file.name)


def _criteo(data: Data, place: Path, *, later: bool) -> Path:
    if data.files == "folder":
        days = place / "days"
        days.mkdir(exist_ok=True)
        for day in range(3 if later else 2):
            (days / f"day_{day}.gz").write_bytes(gzip.compress(_generated(place, seed=day), mtime=0))
        return days
    rows = _generated(place, seed=2 if later else 1)
    file = place / ("train.txt.gz" if data.files == "gzip" else "train.txt")
    file.write_bytes(gzip.compress(rows) if data.files == "gzip" else rows)
    return file


def _generated(place: Path, *, seed: int) -> bytes:
    folder = place / f"generated-{seed}"
    materialize(SyntheticDataset(rows=ROWS, seed=seed), folder)
    content = b"".join(file.read_bytes() for file in sorted(folder.rglob("*.tsv")))
    shutil.rmtree(folder)
    return content


def _tables(data: Data, place: Path, examples: Path, *, later: bool) -> Path:
    spec = yaml.safe_load((examples / "dataset.yaml").read_text(encoding="utf-8"))
    if not data.timestamp:
        del spec["timestamp"]
    for name in TABLES:
        table = csv.read_csv(examples / f"{name}.csv")
        if later and name == "interactions":
            table = pa.concat_tables([table, table.slice(table.num_rows - LATER_ROWS)])
        file = name + SUFFIXES[data.files]
        _WRITERS[data.files](table, place / file)
        spec[name] = file if name == "interactions" else spec[name] | {"path": file}
    described = place / f"{data.files}.yaml"
    described.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return described


def _text(delimiter: str) -> Callable[[pa.Table, Path], None]:
    def write(table: pa.Table, path: Path) -> None:
        csv.write_csv(table, path, csv.WriteOptions(delimiter=delimiter, quoting_style="needed"))

    return write


def _compressed(table: pa.Table, path: Path) -> None:
    with gzip.open(path, "wb") as stream:
        csv.write_csv(table, stream, csv.WriteOptions(quoting_style="needed"))


_WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    "csv": _text(","),
    "tsv": _text("\t"),
    "gzip": _compressed,
    "parquet": parquet.write_table,
}
