"""Interactions, users and items, joined as described. Most mistakes in them are in `test_quick_check`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.support.rows import read
from training import datasets
from training.parameters import TablesDataset

USERS = "user,age\nu1,30\nu2,\n"
ITEMS = 'item,genre\ni1,drama\ni2,"sci-fi, ""space"""\n'
INTERACTIONS = "user,item,rating,seen\nu1,i1,5,2026-01-31 10:00:00\nu2,i2,1,1769853600\nu9,i1,4,2026-02-01\n"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def dataset(folder: Path, *, tables: dict[str, str] | None = None, **changes: object) -> TablesDataset:
    """A dataset in `folder`, with other contents of these tables and these changes of its description."""
    for name, content in {"users": USERS, "items": ITEMS, "interactions": INTERACTIONS, **(tables or {})}.items():
        (folder / f"{name}.csv").write_text(content)
    spec = {
        "interactions": "interactions.csv",
        "users": {"path": "users.csv", "key": "user"},
        "items": {"path": "items.csv", "key": "item"},
        "label": {"column": "rating", "at_least": 4},
        "numeric": ["age"],
        "categorical": ["genre", "item"],
        "timestamp": "seen",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump({**spec, **changes}))
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


def test_tables_are_joined_on_their_keys(tmp_path: Path) -> None:
    reports = []
    described = dataset(tmp_path)
    rows, schema = read(described, None, lambda *said, **_: reports.append(said))
    assert (schema.numeric, schema.categorical, schema.timestamp) == (("age",), ("genre", "item"), "seen")
    at_ten = 1_769_853_600_000_000
    rows = rows.sort_values("label", ignore_index=True)
    assert rows[["label", "genre", "item", "seen"]].to_numpy().tolist() == [
        [0, 'sci-fi, "space"', "i2", at_ten],
        [1, "drama", "i1", at_ten],
    ]
    np.testing.assert_array_equal(rows["age"], [np.nan, 30.0])
    assert reports == [
        ("data", "2 of 3 interactions have a known user and item; dropped: 1 whose user is not in the table of users")
    ]


@pytest.mark.parametrize("users", [{"key": "user"}, None])
def test_users_without_a_table_lose_no_interaction(tmp_path: Path, users: dict[str, str] | None) -> None:
    reports = []
    described = dataset(tmp_path, users=users, numeric=[])
    rows, _ = read(described, None, lambda *said, **_: reports.append(said))
    assert sorted(zip(rows["item"], rows["label"], rows["genre"], strict=True)) == [
        ("i1", 1, "drama"),
        ("i1", 1, "drama"),
        ("i2", 0, 'sci-fi, "space"'),
    ]
    assert reports == [("data", "3 of 3 interactions have a known item")]


def test_interactions_alone_are_a_dataset(tmp_path: Path) -> None:
    reports = []
    described = dataset(tmp_path, users={"key": "user"}, items=None, numeric=[], categorical=["user", "item"])
    rows, _ = read(described, None, lambda *said, **_: reports.append(said))
    assert sorted(zip(rows["user"], rows["item"], strict=True)) == [("u1", "i1"), ("u2", "i2"), ("u9", "i1")]
    assert reports == []
    assert datasets.describe(described).description == f"Interactions of {described.spec}"
    datasets.materialize(described, tmp_path / "lake")
    copied, _ = read(described, tmp_path / "lake")
    assert sorted(copied["user"]) == ["u1", "u2", "u9"]


def test_a_text_that_means_missing_is_missing_in_its_column_alone(tmp_path: Path) -> None:
    described = dataset(
        tmp_path,
        tables={"users": "user,age\nu1,unkonwn\nu2,40\nu3,NA\n", "items": "item,genre\ni1,NA\ni2,?\n"},
        missing=["NA", "unkonwn"],
        categorical=[{"column": "genre", "missing": ["?"]}],
    )
    rows, _ = read(described)
    assert rows.set_index("genre")["age"].fillna(-1).to_dict() == {"NA": -1.0, "": 40.0}


def test_parquet_and_tsv_tables_with_other_key_names_are_joined(tmp_path: Path) -> None:
    described = dataset(
        tmp_path,
        users={"path": "users.parquet", "key": "id", "interactions_key": "user"},
        items={"path": "items.tsv", "key": "item"},
        label={"column": "rating", "equals": 5},
    )
    pd.DataFrame({"id": ["u1", "u2"], "age": [30.5, None]}).to_parquet(tmp_path / "users.parquet")
    (tmp_path / "items.tsv").write_text(ITEMS.replace(",", "\t", 3) + "\t\n  \n\n")
    rows, _ = read(described)
    assert rows[rows["label"] == 1]["age"].tolist() == [30.5]


def test_the_sign_for_a_broken_character_may_stand_in_a_file(tmp_path: Path) -> None:
    rows, _ = read(dataset(tmp_path, tables={"items": "item,genre\ni1,dr\ufffdma\ni2,\n"}))
    assert sorted(rows["genre"]) == ["", "dr\ufffdma"]


@pytest.mark.parametrize(
    "keys",
    [
        [12, 7, 75],
        ["12", "7", "7.5"],
        [12.0, 7.0, 7.5],
        [12.0, 7.0, None],
        ["12.0", "7", "u7"],
        pd.Series([12, 7, 75], dtype="int32"),
    ],
)
def test_a_whole_number_is_the_same_key_whatever_its_type(tmp_path: Path, keys: list[object]) -> None:
    interactions = "user,item,rating,seen\n12,i1,5,1\n7.0,i2,1,2\n012,i1,4,3\n"
    described = dataset(tmp_path, tables={"interactions": interactions}, users={"path": "u.parquet", "key": "user"})
    pd.DataFrame({"user": keys, "age": [30, 40, 50]}).dropna().to_parquet(tmp_path / "u.parquet")
    rows, _ = read(described)
    assert sorted(zip(rows["age"], rows["label"], strict=True)) == [(30.0, 1), (40.0, 0)]
