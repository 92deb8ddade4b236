"""Rows of users who were forgotten are not read: by no table, and so into no history."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake

from recommend import histories
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import Histories
from tests.support.described_tables import write_tables
from training.datasets import tables_of
from training.datasets.described.spec import TablesSpec
from training.datasets.described.tables import SPEC
from training.datasets.progress import silent
from training.engines.reading.interactions import read_chosen
from training.engines.reading.sources import open_source
from training.parameters import TablesDataset
from training.stages.snapshots import write_snapshots


def dataset_of(
    folder: Path, users: list[object], *, one_row_per: bool = False, stored: str = "interactions.csv"
) -> TablesDataset:
    """A dataset, in which each of these users chose a and saw b; its interactions are in the file `stored`."""
    folder.mkdir(exist_ok=True)
    rows = {"user_id": [*users, *users], "item_id": ["a"] * len(users) + ["b"] * len(users)}
    interactions = pd.DataFrame(rows | {"clicked": [1] * len(users) + [0] * len(users)})
    content = write_tables(
        folder,
        interactions=interactions,
        users=pd.DataFrame({"user_id": users, "age": range(len(users))}),
        items=pd.DataFrame({"item_id": ["a", "b"], "minutes": [90, 80]}),
    )
    match Path(stored).suffix:
        case ".parquet":
            interactions.to_parquet(folder / stored)
        case ".jsonl":
            interactions.to_json(folder / stored, orient="records", lines=True)
        case "":
            write_deltalake(folder / stored, pa.Table.from_pandas(interactions))
    content["interactions"] = stored
    more = {"one_row_per": ["user_id", "item_id"]} if one_row_per else {}
    (folder / SPEC).write_text(yaml.safe_dump(content | {"numeric": ["age", "minutes"]} | more))
    return TablesDataset(kind="tables", spec=folder / SPEC)


def spec_without(dataset: TablesDataset, passed_over: Forgotten) -> TablesSpec:
    """What a training reads that passes over these users."""
    spec = tables_of(dataset, None, passed_over)
    assert spec is not None
    return spec


@pytest.mark.parametrize("one_row_per", [False, True])
@pytest.mark.parametrize("stored", ["interactions.csv", "interactions.jsonl", "interactions.parquet", "a Delta table"])
@pytest.mark.parametrize("users", [["u1", "u2", "u3"], [1.0, 2.0, 3.0]])
def test_neither_model_nor_recommender_nor_histories_have_them(
    tmp_path: Path, users: list[object], stored: str, *, one_row_per: bool
) -> None:
    gone, stays = ("u2", "u3") if isinstance(users[0], str) else ("2", "3")
    ages: list[float] = []
    passed_over = NOBODY.with_user(gone)
    dataset = dataset_of(tmp_path / "copy", users, one_row_per=one_row_per, stored=stored)
    opened = open_source(dataset, None, silent, passed_over)
    spec = spec_without(dataset, passed_over)
    for piece in opened.pieces:
        for fields in piece.fields():
            ages += fields.numeric[0].tolist()
    assert sorted(ages) == [0, 0, 2, 2], "of the first and the third"
    chosen = read_chosen(spec)
    assert gone not in chosen.users
    write_snapshots(tmp_path / "made", spec, chosen)
    made = Histories(tmp_path / "made" / histories.FILE, ["a", "b"])
    assert made.find(gone) is None
    assert made.find(stays) is not None


def test_once_it_is_undone_they_are_read_again(tmp_path: Path) -> None:
    dataset, forgotten = dataset_of(tmp_path / "copy", ["u1", "u2"]), NOBODY.with_user("u2")
    assert read_chosen(spec_without(dataset, forgotten)).users == ["u1"]
    assert read_chosen(spec_without(dataset, forgotten.without_user("u2"))).users == ["u1", "u2"]
