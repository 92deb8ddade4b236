"""Folders of tables without a config, and the config that is guessed for them."""

import gzip
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from training import datasets
from training.init_data.draft import to_yaml
from training.init_data.guess import guess
from training.parameters import TablesDataset

GENRES = ["Action", "Animation", "Children's", "Comedy", "Drama", "Thriller"]


def films(folder: Path) -> Path:
    """Three tables like MovieLens' in RecBole's form: tab separated, types in the headers, keys that are numbers."""
    chance = random.Random(1)  # noqa: S311 - rows for a test, no secret
    users = [
        f"{number}\t{chance.randint(16, 70)}\t{chance.choice('MF')}\t{chance.randint(10_000, 99_999)}"
        for number in range(1, 41)
    ]
    items = [
        f"{number}	Film number {number}	{chance.randint(1960, 1998)}	"
        + " ".join(chance.sample(GENRES, chance.randint(1, 3)))
        for number in range(1, 81)
    ]
    items[7] = "8\tunkonwn\tunkonwn\tDrama"
    seen = [
        f"{chance.randint(1, 40)}\t{chance.randint(1, 80)}\t{chance.randint(1, 5)}\t{881_250_949 + number}"
        for number in range(1_000)
    ]
    for name, header, rows in (
        ("a.tsv", "user_id:token\titem_id:token\trating:float\ttimestamp:float", seen),
        ("b.tsv", "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq", items),
        ("c.tsv", "user_id:token\tage:token\tgender:token\tzip_code:token", users),
    ):
        (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder


def described(folder: Path, told: Mapping[str, Path] | None = None, label: str | None = None) -> dict[str, Any]:
    """The guessed config of the tables in a folder, after checking that it can be trained on."""
    path = folder / "dataset.yaml"
    path.write_text(to_yaml(guess(folder, told or {}, label), folder.resolve()))
    datasets.describe(TablesDataset(kind="tables", spec=path))
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def shop(folder: Path, **columns: list[object]) -> Path:
    """Tables of a shop: customers as Parquet, products as gzip, clicks as CSV with these columns beside the keys."""
    customers = {"id": [1, 2, 3, 4], "city": ["Bonn", "Köln", "Bonn", "NA"], "likes": [["a"], [], ["b"], ["a", "b"]]}
    pd.DataFrame(customers).to_parquet(folder / "customers.parquet")
    with gzip.open(folder / "products.csv.gz", "wt") as stream:
        stream.write(
            "sku,price,tags\n" + "".join(f"p{n},{n}.5,{'new|sale' if n % 2 else 'old|sale'}\n" for n in range(6))
        )
    keys = {"customerId": [1, 2, 3, 4, 1, 2, 3, 4] * 3, "product": [f"p{n % 6}" for n in range(24)]}
    pd.DataFrame({**keys, **columns}).to_csv(folder / "visits.csv", index=False)
    return folder
