"""Loading a catalogue: all of it or nothing, and what it withdraws stays withdrawn; and what is stored of each user."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from features.errors import BadInputError
from recommend import catalogue, histories
from recommend.catalogue import State
from recommend.histories import Histories
from recommend.stored import SnapshotError
from tests.support.described_tables import write_tables
from training.catalogue import Loaded, load, read_entities, write_snapshots
from training.errors import DatasetError
from training.parameters import CriteoDataset, TablesDataset
from training.tables.files import load_spec
from training.tables.interactions import read_chosen


@pytest.fixture
def dataset(tmp_path: Path) -> TablesDataset:
    """A dataset with a table of two items."""
    content = write_tables(
        tmp_path,
        interactions=pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "clicked": [1]}),
        users=pd.DataFrame({"user_id": ["u"], "age": [1]}),
        items=pd.DataFrame({"item_id": ["a", "b"], "minutes": [90, 80], "kind": ["x|y", "z"]}),
    )
    content |= {"numeric": ["age", "minutes"], "categorical": [{"column": "kind", "separator": "|"}]}
    file = tmp_path / "dataset.yaml"
    file.write_text(yaml.safe_dump(content))
    return TablesDataset(kind="tables", spec=file)


def written(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(["item_id,title,minutes,kind", *lines]) + "\n")
    return file


def states(target: Path) -> dict[str, State]:
    return {row.key: row.state for row in catalogue.read_rows(target)[0]}


def counted(loaded: Loaded) -> tuple[int, int, int, int]:
    return loaded.added, loaded.changed, loaded.withdrawn, loaded.same


def test_items_are_added_changed_withdrawn_and_brought_back(dataset: TablesDataset, tmp_path: Path) -> None:
    target = tmp_path / "snapshots" / "catalogue"
    first = written(tmp_path / "1.csv", "a,A,90,x|y", "b,B,80,z")
    assert counted(load(dataset, first, target)) == (2, 0, 0, 0)
    assert counted(load(dataset, written(tmp_path / "2.csv", "a,A!,90,x|y", "c,C,,z"), target)) == (1, 1, 1, 0)
    assert states(target) == {"a": State.LOADED, "c": State.LOADED, "b": State.WITHDRAWN}
    assert catalogue.read_rows(target)[0][2].columns["title"] == "B"  # for those who chose it
    assert counted(load(dataset, first, target)) == (1, 1, 1, 0)
    assert counted(load(dataset, first, target)) == (0, 0, 0, 2)
    assert states(target)["c"] is State.WITHDRAWN


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["a,A,90,x|y", "b,B,long,z"], "line 3"),
        (["a,A,90,x|y", "a,A,90,z"], "lines 2, 3"),
        (["a,A,90,x|y", ",B,80,z"], "line 3"),
        (["a,A,90,x|y", "b,B"], "line 3"),
        ([], "has no row"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_changes(
    dataset: TablesDataset, tmp_path: Path, lines: list[str], said: str
) -> None:
    target = tmp_path / "catalogue"
    load(dataset, written(tmp_path / "1.csv", "a,A,90,x|y"), target)
    before = target.read_bytes()
    with pytest.raises(DatasetError, match=said):
        load(dataset, written(tmp_path / "2.csv", *lines), target)
    assert target.read_bytes() == before


def test_another_schema_or_no_table_is_refused(dataset: TablesDataset, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("key,title\na,A\n")
    with pytest.raises(DatasetError, match="no column 'item_id'"):
        load(dataset, other, tmp_path / "catalogue")
    for name, reason in (("missing.csv", "There is no file .*missing.csv"), ("dataset.yaml", "is not a table")):
        with pytest.raises(BadInputError, match=reason):
            load(dataset, tmp_path / name, tmp_path / "catalogue")


def test_a_dataset_without_items_has_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no table of items"):
        load(
            CriteoDataset(kind="criteo", path="sample"),
            written(tmp_path / "1.csv", "a,A,90,x|y"),
            tmp_path / "catalogue",
        )


def test_where_the_other_tables_are_in_azure_storage_the_former_catalogue_tells_the_items_columns(
    dataset: TablesDataset, tmp_path: Path
) -> None:
    target = tmp_path / "catalogue"
    load(dataset, written(tmp_path / "1.csv", "a,A,90,x|y", "b,B,80,z"), target)
    content = yaml.safe_load(dataset.spec.read_text())
    for table in ("interactions", "users", "items"):
        own = content[table] if isinstance(content[table], dict) else {"path": content[table]}
        content[table] = own | {"path": f"abfss://events@shoplake.dfs.core.windows.net/{table}.csv"}
    dataset.spec.write_text(yaml.safe_dump(content))
    second = written(tmp_path / "2.csv", "a,A!,90,x|y", "c,C,,z")
    assert counted(load(dataset, second, target)) == (1, 1, 1, 0)
    fresh = tmp_path / "fresh"
    assert counted(load(dataset, second, fresh)) == (2, 0, 0, 0)
    assert catalogue.read_rows(fresh)[1] == catalogue.read_rows(target)[1]
    before = target.read_bytes()
    with pytest.raises(DatasetError, match="line 3"):
        load(dataset, written(tmp_path / "3.csv", "a,A,90,x|y", "b,B,long,z"), target)
    (tmp_path / "4.csv").write_text("item_id,title,minutes\na,A,90\n")
    with pytest.raises(DatasetError, match=r"kind is in none of .*4\.csv"):
        load(dataset, tmp_path / "4.csv", target)
    assert target.read_bytes() == before


def test_a_catalogue_that_cannot_be_read_is_not_replaced(dataset: TablesDataset, tmp_path: Path) -> None:
    target = tmp_path / "catalogue"
    target.write_bytes(b"no catalogue")
    with pytest.raises(SnapshotError, match="Remove it first"):
        load(dataset, written(tmp_path / "1.csv", "a,A,90,x|y", "b,B,80,z"), target)
    assert target.read_bytes() == b"no catalogue"


@pytest.mark.parametrize("name", ["items.parquet", "items.csv.gz"])
def test_a_file_that_was_cut_off_is_refused(dataset: TablesDataset, tmp_path: Path, name: str) -> None:
    target, file = tmp_path / "catalogue", tmp_path / name
    load(dataset, written(tmp_path / "1.csv", "a,A,90,x|y"), target)
    before = target.read_bytes()
    rows = pd.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"], "minutes": [90, 80], "kind": ["x", "z"]})
    if name.endswith(".parquet"):
        rows.to_parquet(file)
    else:
        rows.to_csv(file, index=False)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=name):
        load(dataset, file, target)
    assert target.read_bytes() == before


def test_pictures_in_the_table_of_items_are_left_out_of_the_catalogue(tmp_path: Path) -> None:
    content = write_tables(
        tmp_path,
        interactions=pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "clicked": [1]}),
        users=pd.DataFrame({"user_id": ["u"], "age": [1]}),
        items=pd.DataFrame({"item_id": ["a"], "minutes": [90]}),
    )
    items = pd.DataFrame({"item_id": ["a"], "title": ["Alpha"], "minutes": [90], "picture": [b"\xff\xd8\xff"]})
    items.to_parquet(tmp_path / "items.parquet")
    content["items"]["path"] = "items.parquet"
    file = tmp_path / "dataset.yaml"
    file.write_text(yaml.safe_dump(content | {"numeric": ["age", "minutes"]}))
    found = read_entities(load_spec(file), "items")
    assert {name: values.to_pylist() for name, values in found.columns.items()} == {
        "title": ["Alpha"],
        "minutes": ["90"],
    }


ITEMS = {
    "item_id": ["a", "b"],
    "kind": ["x | y", ""],
    "minutes": [90, None],
    "year": [1990, 1991],
    "price": [24.72, 25.0],
    "ean": [2**53 + 1, 7],
    "sku": ["000999", "12"],
}
DECLARED = {"minutes": 90, "year": "1990", "kind": ["x", "y"], "sku": "000999"}


@pytest.mark.parametrize(
    ("form", "undeclared"),
    [
        ("csv", {"price": "24.72", "ean": "9007199254740993"}),
        ("jsonl", {"price": "24.72", "ean": "9007199254740993"}),
        ("parquet", {"price": 24.72, "ean": "9007199254740993"}),
    ],
)
def test_numbers_are_what_the_config_and_files_with_types_say(
    tmp_path: Path, form: str, undeclared: dict[str, object]
) -> None:
    content = write_tables(
        tmp_path,
        interactions=pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "clicked": [1]}),
        users=pd.DataFrame({"user_id": ["u"], "age": [1]}),
        items=pd.DataFrame({"item_id": ["a"]}),
    )
    items = pd.DataFrame(ITEMS).astype({"minutes": "Int64"})
    if form == "jsonl":
        items.to_json(tmp_path / "items.jsonl", orient="records", lines=True)
    else:
        getattr(items, f"to_{form}")(tmp_path / f"items.{form}", index=False)
    content["items"] |= {"path": f"items.{form}", "show": ["ean"]}
    content |= {"numeric": ["age", "minutes"], "categorical": ["year", {"column": "kind", "separator": "|"}]}
    file = tmp_path / "dataset.yaml"
    file.write_text(yaml.safe_dump(content))
    target = tmp_path / "catalogue"
    load(TablesDataset(kind="tables", spec=file), tmp_path / f"items.{form}", target)
    rows, layout = catalogue.read_rows(target)
    first, second = (row.columns for row in rows)
    assert layout.show == ("ean",)
    assert first == DECLARED | undeclared
    assert (second.get("minutes"), second.get("kind"), second["ean"]) == (None, None, "7")


ROWS = pd.DataFrame(
    [("u1", "b", "2026-01-02"), ("u1", "c", "2026-01-01"), ("u1", "a", "2026-01-02"), ("u2", "b", "2026-01-01")],
    columns=["user", "item", "day"],
)


def stored(folder: Path, rows: pd.DataFrame, **more: object) -> Histories:
    """The histories of the choices in these rows."""
    folder.mkdir()
    rows.to_csv(folder / "rows.csv", index=False)
    keys = {"users": {"key": "user"}, "items": {"key": "item"}}
    config = {"interactions": "rows.csv", "label": "positives", "categorical": ["item"], **keys, **more}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(config))
    spec = load_spec(folder / "dataset.yaml")
    write_snapshots(folder / "made", spec, read_chosen(spec))
    return Histories(folder / "made" / histories.FILE, ["a", "b", "c"])


@pytest.mark.parametrize("more", [{}, {"timestamp": "day"}, {"timestamp": "day", "recommend_seen": True}])
def test_the_order_of_rows_changes_no_history(tmp_path: Path, more: dict[str, object]) -> None:
    versions = {
        stored(tmp_path / str(seed), ROWS.sample(frac=1, random_state=seed), **more).version for seed in range(5)
    }
    assert len(versions) == 1


def test_choices_of_one_time_are_in_the_order_of_the_items_keys(tmp_path: Path) -> None:
    """As the recommender learns from them: see `recommend.interactions.Interactions.in_order`."""
    known = stored(tmp_path / "rows", ROWS, timestamp="day").find("u1")
    assert known is not None
    assert known.chosen.tolist() == [2, 0, 1]


def test_a_history_has_each_event_with_its_kind(tmp_path: Path) -> None:
    events = ["view", "purchase", "purchase", "view"]  # b, c, a and, by u2, b
    label = {"column": "event", "choice": ["purchase", "view"]}
    known = stored(tmp_path / "rows", ROWS.assign(event=events), timestamp="day", label=label).find("u1")
    assert known is not None
    assert known.kinds is not None
    assert (known.chosen.tolist(), known.kinds.tolist()) == ([2, 0, 1], [0, 0, 1])
