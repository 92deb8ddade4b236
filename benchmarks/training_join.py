"""The cost of joining a dataset of three tables: reading, checking and joining interactions, users and items.

It runs in its own process, started on the cores that it may use. The tables are made from rows like Criteo's, with
users and items as skewed as the rows' values.
"""

import argparse
import json
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import yaml
from pyarrow import parquet

from benchmarks.training_run import cpu_seconds
from features.schema import CRITEO
from tests.support.criteo_rows import drawn
from training.local.engine import LocalEngine
from training.tables.files import load_spec
from training.tables.progress import silent

ROWS_A_USER, ROWS_AN_ITEM = 10, 100
USER_COLUMNS, ITEM_COLUMNS = CRITEO.categorical[:9], CRITEO.categorical[9:18]
SKEW = 3.0
"""A share of u ** SKEW of a table's rows has a share of u of the interactions."""


def main() -> None:
    """Create the tables, join them, and print seconds and processor seconds as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int)
    rows = parser.parse_args().rows
    with TemporaryDirectory() as folder:
        spec = write_tables(Path(folder), rows)
        print(json.dumps(join(spec, Path(folder) / "work")))


def join(spec: Path, work: Path) -> dict[str, Any]:
    """`seconds` and `cpu_seconds` for reading, checking and joining the tables, and writing the rows as a run does."""
    process = psutil.Process()
    began, cpu = time.perf_counter(), sum(cpu_seconds(process).values())
    with closing(LocalEngine(data_size=0)) as engine:
        engine.prepare(load_spec(spec), work, silent)
        return {"seconds": time.perf_counter() - began, "cpu_seconds": sum(cpu_seconds(process).values()) - cpu}


def write_tables(folder: Path, rows: int) -> Path:
    """Write three Parquet files, the interactions with this many `rows`; returns the path of their dataset config."""
    random = np.random.default_rng(0)
    users, items = max(rows // ROWS_A_USER, 1_000), max(rows // ROWS_AN_ITEM, 1_000)
    _write(folder / "users.parquet", _keys("user", np.arange(users)) | _columns(USER_COLUMNS, users, seed=1))
    _write(folder / "items.parquet", _keys("item", np.arange(items)) | _columns(ITEM_COLUMNS, items, seed=2))
    own = [name for name in CRITEO.features if name not in {*USER_COLUMNS, *ITEM_COLUMNS}]
    keys = _keys("user", _drawn(random, users, rows)) | _keys("item", _drawn(random, items, rows))
    _write(folder / "interactions.parquet", keys | _columns([CRITEO.label, *own], rows, seed=3))
    description = {
        "interactions": "interactions.parquet",
        "users": {"path": "users.parquet", "key": "user_id"},
        "items": {"path": "items.parquet", "key": "item_id"},
        "label": {"column": CRITEO.label},
        "numeric": list(CRITEO.numeric),
        "categorical": list(CRITEO.categorical),
    }
    spec = folder / "dataset.yaml"
    spec.write_text(yaml.safe_dump(description), encoding="utf-8")
    return spec


def _drawn(random: np.random.Generator, keys: int, rows: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    return (random.random(rows) ** SKEW * keys).astype(np.int64)


def _keys(name: str, numbers: "np.ndarray[Any, np.dtype[np.int64]]") -> dict[str, pa.Array]:
    return {f"{name}_id": pa.array(numbers)}


def _columns(names: "list[str] | tuple[str, ...]", rows: int, *, seed: int) -> dict[str, pa.ChunkedArray]:
    """These columns of so many generated rows."""
    table = pa.Table.from_batches([batch.select(list(names)) for batch, _ in drawn(rows, seed=seed)])
    return {name: table.column(name) for name in names}


def _write(file: Path, columns: "dict[str, pa.Array]") -> None:
    parquet.write_table(pa.table(columns), file)


if __name__ == "__main__":
    main()
