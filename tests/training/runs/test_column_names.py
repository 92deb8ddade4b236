"""Any column names work: dots, spaces, quotes and braces go through the whole pipeline."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from features.bundle import Bundle
from tests.support.training_runs import train
from training import datasets
from training.parameters import TablesDataset
from training.result import Result

NUMERIC = ("length.min", "alter jahre", "a`b", "größe", "x[0]{y}:z")
CATEGORICAL = ("item.id", "wohn ort", 'said "so"', "genre,main")
ROWS = 1_500


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Users as Parquet, items as TSV, interactions as CSV, each with names that Spark would misread."""
    folder = tmp_path_factory.mktemp("names")
    random = np.random.default_rng(3)
    users = pd.DataFrame({"user.id": [f"u{index}" for index in range(60)]})
    users["alter jahre"] = random.integers(18, 80, 60)
    users["a`b"] = random.normal(size=60)
    users["wohn ort"] = random.choice(["Köln", "Bonn", ""], 60)
    users.to_parquet(folder / "users.parquet")
    items = pd.DataFrame({"item.id": [f"i{index}" for index in range(40)]})
    items["length.min"] = random.integers(60, 200, 40)
    items["größe"] = random.normal(size=40)
    items["genre,main"] = random.choice(["drama", "comedy"], 40)
    items.to_csv(folder / "items.tsv", sep="\t", index=False)
    seen = pd.DataFrame(
        {"user.id": random.choice(users["user.id"], ROWS), "item.id": random.choice(items["item.id"], ROWS)}
    )
    seen["x[0]{y}:z"] = random.normal(size=ROWS)
    seen['said "so"'] = random.choice(["yes", "no"], ROWS)
    seen["seen.at"] = 1_769_853_600 + random.permutation(ROWS)
    taste = (seen["x[0]{y}:z"] > 0) ^ (seen["item.id"].str.len() % 2 == 0)
    seen["stars.given"] = np.where(random.random(ROWS) < 0.2, ~taste, taste).astype(int)
    seen.to_csv(folder / "interactions.csv", index=False)
    spec = {
        "interactions": "interactions.csv",
        "users": {"path": "users.parquet", "key": "user.id"},
        "items": {"path": "items.tsv", "key": "item.id"},
        "label": {"column": "stars.given"},
        "numeric": list(NUMERIC),
        "categorical": list(CATEGORICAL),
        "timestamp": "seen.at",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec, allow_unicode=True))
    return folder / "dataset.yaml"


@pytest.fixture(scope="module")
def result(described: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A whole run with a split by time, from the dataset's copy in the data lake."""
    output = tmp_path_factory.mktemp("named")
    datasets.materialize(TablesDataset(kind="tables", spec=described), output / "lake")
    options = ("--dataset", "tables", "--spec", str(described), "--split", "time", "--num-iterations", "5")
    return train(output, *options, "--data", str(output / "lake")).result


def test_a_run_takes_any_column_name(result: Result) -> None:
    schema = Bundle.load(Path(result.bundle)).schema
    assert (schema.numeric, schema.categorical, schema.timestamp) == (NUMERIC, CATEGORICAL, "seen.at")
    assert sum(result.rows.values()) == ROWS
    assert result.rows["held_out"] == ROWS // 5
    page = Path(result.report).read_text(encoding="utf-8")
    assert [name for name in (*NUMERIC[:4], *CATEGORICAL[:2]) if name not in page] == []
