"""MovieLens-100k for benchmarks. It comes from the wheel of RecBole 1.2.1 and stays outside of the working tree: its
licence does not let it be redistributed.
"""

import subprocess
from math import isnan
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import pandas as pd

from features.schema import Schema
from recommend.columns import PairColumns
from recommend.interactions import Interactions
from tools.setup.uv import ensure_uv
from training.runtime import cache_folder

WHEEL = "recbole==1.2.1 --hash=sha256:9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407\n"
RATINGS = "recbole/dataset_example/ml-100k/ml-100k.inter"
Columns = tuple[PairColumns, dict[str, list[Any]]]
"""The columns of items, and those of users by name."""


def ratings() -> Interactions:
    """The 100,000 ratings, in the order of their file. Users and items are numbered by ID, which decides ties."""
    folder = cache_folder() / "recbole"
    if not (folder / RATINGS).exists():
        with NamedTemporaryFile("w", suffix=".txt") as wanted:
            wanted.write(WHEEL)
            wanted.flush()
            command = [str(ensure_uv()), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
            subprocess.run([*command, "--target", str(folder), "--requirements", wanted.name], check=True)
    return _read(folder / RATINGS)


def _read(file: Path) -> Interactions:
    rows = pd.read_csv(file, sep="\t", names=["user", "item", "rating", "time"], header=0)
    users, items = (pd.factorize(rows[name], sort=True)[0].astype(np.int64) for name in ("user", "item"))
    return Interactions(
        users=users,
        items=items,
        values=rows["rating"].to_numpy(np.float64),
        times=rows["time"].to_numpy(np.float64),
        user_count=int(users.max()) + 1,
        item_count=int(items.max()) + 1,
    )


def columns() -> Columns:
    """The columns of items and users, by their numbers; crosses are those of docs/explanation/decisions.md."""
    folder = (cache_folder() / "recbole" / RATINGS).parent
    users = _table(folder / "ml-100k.user", ["user", "age", "gender", "occupation", "zip"])
    items = _table(folder / "ml-100k.item", ["item", "title", "year", "genres"])
    schema = Schema(
        numeric=("age", "year"),
        categorical=("gender", "occupation", "genres", "item"),
        separators={"genres": " "},
        crosses=(("occupation", "genres"), ("gender", "item"), ("occupation", "item")),
    )
    years = pd.to_numeric(items["year"], errors="coerce").tolist()
    of_items = {
        "year": [None if isnan(year) else year for year in years],
        "genres": items["genres"].tolist(),
        "item": [str(item) for item in items.index],
    }
    of_users = {"age": users["age"].astype(float).tolist()}
    of_users |= {name: users[name].tolist() for name in ("gender", "occupation")}
    return PairColumns(schema=schema, items=of_items), of_users


def _table(file: Path, names: list[str]) -> pd.DataFrame:
    rows = pd.read_csv(
        file, sep="\t", names=names, header=0, dtype=dict.fromkeys(names[1:], str), keep_default_na=False
    )
    return rows.set_index(names[0]).sort_index()
