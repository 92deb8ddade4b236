"""Logs of events: what is trained on, on each engine."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from pyspark.sql import SparkSession

from features.bundle import Bundle
from tests.support.rows import read
from tests.support.training_runs import Run, encoder_of, pieces_of, prepared, train, train_on
from tools.paths import ROOT
from training.datasets import describe, tables_of
from training.errors import ColumnError, MalformedRowError, MissingFileError, OneClassError, SpecError
from training.kernels.columns import RECORD_HASH
from training.kernels.hashed import hashed
from training.parameters import TablesDataset
from training.spark.engine import SparkEngine
from training.tables import opening


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


EXAMPLE = ROOT / "examples/tables"
BOUGHT = {"column": "event", "positive": ["purchase"], "negative": ["view", "cart"]}


def written(folder: Path, **changes: object) -> Path:
    """The example as events: ratings from 4 on are purchases, those of 3 carts; with these changes of its config."""
    table = pd.read_csv(EXAMPLE / "interactions.csv")
    table["event"] = [_event(rating) for rating in table["rating"]]
    table.to_csv(folder / "events.csv", index=False)
    content: dict[str, Any] = yaml.safe_load((EXAMPLE / "dataset.yaml").read_text())
    content |= {"interactions": "events.csv", "label": BOUGHT}
    for name in ("users", "items"):
        content[name]["path"] = str(EXAMPLE / content[name]["path"])
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content | changes))
    return folder / "dataset.yaml"


def _event(rating: float) -> str:
    if rating >= 4:
        return "purchase"
    return "cart" if rating == 3 else "view"


def options(spec: Path) -> tuple[str, ...]:
    """The options of a run on this config."""
    return "--dataset", "tables", "--spec", str(spec), "--split", "time"


def bytes_of(run: Run, name: str) -> bytes:
    """A file of the run's bundle."""
    return (Path(run.result.bundle) / name).read_bytes()


@pytest.mark.spark
@pytest.mark.full
def test_events_in_lists_train_the_model_of_the_labels_that_they_mean(
    spark: SparkSession, spark_log: Path, tmp_path: Path
) -> None:
    spec = written(tmp_path)
    events = train(tmp_path / "events", *options(spec))
    labels = train(tmp_path / "labels", *options(EXAMPLE / "dataset.yaml"))
    assert bytes_of(events, "model.txt") == bytes_of(labels, "model.txt")
    joined = train_on(SparkEngine(session=spark, log=spark_log), tmp_path / "joined", *options(spec))
    assert encoder_of(joined) == encoder_of(events)


@pytest.mark.spark
def test_spark_notices_an_event_that_never_occurs(spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    spec = written(tmp_path, label=BOUGHT | {"negative": ["view", "cart", "return"]})
    engine = SparkEngine(session=spark, log=spark_log)
    with pytest.raises(ColumnError, match="the negative event 'return' is in no row's event"):
        prepared(engine, TablesDataset(kind="tables", spec=spec), tmp_path / "rows")


LOG = """user,item,session,event,page,seen
u1,i1,s1,view,home,10
u1,i1,s1,purchase,cart,30
u1,i1,s1,view,search,5
u1,i1,s2,view,home,50
u2,i1,s3,purchase,cart,60
u2,i1,s3,view,home,60
u2,i2,s3,view,home,61
u9,i2,s4,purchase,mail,70
"""


def log_of(folder: Path, content: str = LOG, **changes: object) -> TablesDataset:
    """A log of events with a table of users, each user, item and session being one row."""
    (folder / "users.csv").write_text("user,age\nu1,30\nu2,40\n")
    (folder / "log.csv").write_text(content)
    spec = {
        "interactions": "log.csv",
        "users": {"path": "users.csv", "key": "user"},
        "items": {"key": "item"},
        "label": {"column": "event", "positive": ["purchase"], "negative": ["view"]},
        "one_row_per": ["user", "item", "session"],
        "numeric": ["age"],
        "categorical": ["item", "page"],
        "timestamp": "seen",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec | changes))
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


def rows_of(dataset: TablesDataset) -> list[tuple[object, ...]]:
    """The rows that the events make."""
    rows, _ = read(dataset)
    return sorted(zip(rows["seen"] // 1_000_000, rows["item"], rows["page"], rows["age"], rows["label"], strict=True))


def test_events_make_one_row_with_the_first_ones_columns_and_a_click_if_one_of_them_is(tmp_path: Path) -> None:
    said: list[object] = []
    assert rows_of(log_of(tmp_path)) == [
        (5, "i1", "search", 30.0, 1),
        (50, "i1", "home", 30.0, 0),
        (60, "i1", "cart", 40.0, 1),
        (61, "i2", "home", 40.0, 0),
    ]
    read(log_of(tmp_path), None, lambda *told, **_: said.append(told))
    dropped = "dropped: 1 whose user is not in the table of users"
    assert said == [("data", f"8 events make 4 rows with a known user; {dropped}")]


def test_without_a_time_the_first_event_is_the_first_one_read(tmp_path: Path) -> None:
    rows, _ = read(log_of(tmp_path, timestamp=None))
    assert sorted(zip(rows["item"], rows["page"], rows["label"], strict=True)) == [
        ("i1", "cart", 1),
        ("i1", "home", 0),
        ("i1", "home", 1),
        ("i2", "home", 0),
    ]


def test_events_of_one_row_are_found_across_the_parts_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows_of(log_of(tmp_path))
    monkeypatch.setattr(opening, "BLOCK_BYTES", 50)
    dataset = log_of(tmp_path)
    assert len(pieces_of(dataset)) > 2
    assert rows_of(dataset) == whole
    pd.read_csv(tmp_path / "log.csv").to_parquet(tmp_path / "log.parquet")
    assert rows_of(log_of(tmp_path, interactions="log.parquet")) == whole


def test_an_event_without_item_or_session_is_named(tmp_path: Path) -> None:
    dataset = log_of(tmp_path, LOG + "u2,,s3,view,home,80\nu2,i1,,view,home,80\n")
    for refuse in (describe, read):
        with pytest.raises(MalformedRowError, match="Fields of 2 columns") as caught:
            refuse(dataset)
        assert f"{tmp_path}/log.csv, key item: 1 of 10 fields is empty: line 10 ''" in str(caught.value)
        assert f"{tmp_path}/log.csv, key session: 1 of 10 fields is empty: line 11 ''" in str(caught.value)


def test_rows_that_are_all_clicks_are_refused_even_if_their_events_are_not(tmp_path: Path) -> None:
    dataset = log_of(tmp_path, one_row_per=["user"], users=None, numeric=[])
    with pytest.raises(OneClassError, match=r"All 3 rows of .*/log\.csv that `one_row_per` makes have the label 1\."):
        read(dataset)


@pytest.mark.parametrize(
    ("columns", "kind", "reason"),
    [
        (["user", "event"], SpecError, "event is the label: without it, `one_row_per` brings"),
        (["user", "user"], SpecError, "needs each column once, but user is named again"),
        (["user", "visit"], MissingFileError, r"log\.csv has no column 'visit'"),
    ],
)
def test_columns_that_make_no_rows_are_refused(
    tmp_path: Path, columns: list[str], kind: type[Exception], reason: str
) -> None:
    with pytest.raises(kind, match=reason):
        describe(log_of(tmp_path, one_row_per=columns))


@pytest.mark.spark
@pytest.mark.full
def test_spark_makes_the_same_rows(spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    spec = written(tmp_path, one_row_per=["user_id", "device"])
    engine = SparkEngine(session=spark, log=spark_log)
    joined = train_on(engine, tmp_path / "joined", *options(spec))
    local = train(tmp_path / "local", *options(spec))
    one, other = (Path(run.result.bundle) for run in (joined, local))
    assert encoder_of(joined) == encoder_of(local)
    golden = [[one.record for one in Bundle.load(bundle).click_model.golden] for bundle in (one, other)]
    assert golden[0] == golden[1]
    pairs = len(pd.read_csv(tmp_path / "events.csv").drop_duplicates(["user_id", "device"]))
    for run in (joined, local):
        assert any(f"3,000 events make {pairs:,} rows with a known user and item" in line for line in run.progress)
    log = log_of(tmp_path, one_row_per=["user"], users=None, numeric=[])
    with pytest.raises(OneClassError, match="that `one_row_per` makes have the label 1"):
        prepared(engine, log, tmp_path / "rows")


@pytest.mark.spark
@pytest.mark.parametrize(
    ("paths", "files"),
    [
        (["second.csv", "first.csv"], ["second.csv", "first.csv"]),
        ("log", ["log/a b.csv", "log/a!b.csv"]),
        ("log", ["log/10:30.csv", "log/9:30.csv"]),
    ],
)
def test_of_events_at_one_time_spark_too_takes_the_first_one_read(
    paths: object, files: list[str], spark: SparkSession, spark_log: Path, tmp_path: Path
) -> None:
    (tmp_path / "log").mkdir()
    for page, file in enumerate(files):
        events = f"u1,i1,s1,view,{page},10\nu2,i{page},s{page},purchase,{page},20\n"
        (tmp_path / file).write_text(f"user,item,session,event,page,seen\n{events}")
    dataset = log_of(tmp_path, interactions=paths)
    assert (10, "i1", "0", 30.0, 0) in rows_of(dataset)
    rows, _ = prepared(SparkEngine(session=spark, log=spark_log), dataset, tmp_path / "rows")
    hashes = [int(row[RECORD_HASH]) for row in rows.frame.select(RECORD_HASH).collect()]
    schema = tables_of(dataset, None).joined_schema
    local = [hashed(fields, schema) for piece in pieces_of(dataset) for fields in piece()]
    assert sorted(hashes) == sorted(value for batch in local for value in batch.column(RECORD_HASH).to_pylist())
