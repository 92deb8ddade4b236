"""Rows of users who were forgotten are not read: by no table and no run, on both engines, and so into no history."""

import io
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from features.bundle import Bundle
from features.hashing import hash_value
from recommend import histories
from recommend.forgotten import NOBODY, Forgotten, change
from recommend.histories import Histories
from recommend.judgement import Judgement
from recommend.stored import FOLDER
from tests.support.described_tables import write_tables
from tests.support.training_runs import pieces_of, prepared, train
from tools.paths import ROOT
from training import recommending, work
from training.catalogue import write_snapshots
from training.config import TablesSpec
from training.datasets import tables_of
from training.datasets.tables import SPEC
from training.errors import DatasetError
from training.local.engine import LocalEngine
from training.parameters import TablesDataset
from training.progress import Progress
from training.request import TrainingRequest
from training.spark.engine import SparkEngine
from training.tables.interactions import read_chosen


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
    spec = spec_without(dataset, passed_over)
    for piece in pieces_of(dataset, None, passed_over):
        for fields in piece():
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


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (("u1",), "All 9 rows of .*, without those of forgotten users, have the label 0. Give data with clicked"),
        (("u1", "u2"), "No row of .*, without those of forgotten users, is left"),
    ],
)
def test_rows_that_cannot_be_learned_from_without_them_are_said_so(
    tmp_path: Path, gone: tuple[str, ...], said: str
) -> None:
    lines = [f"u{1 + number % 2},a,{1 - number % 2}\n" for number in range(18)]
    (tmp_path / "interactions.csv").write_text("user_id,item_id,clicked\n" + "".join(lines))
    content = {"users": {"key": "user_id"}, "label": {"column": "clicked"}, "categorical": ["item_id"]}
    (tmp_path / SPEC).write_text(yaml.safe_dump({"interactions": "interactions.csv", **content}))
    dataset, passed_over = TablesDataset(kind="tables", spec=tmp_path / SPEC), NOBODY
    for user in gone:
        passed_over = passed_over.with_user(user)
    with pytest.raises(DatasetError, match=said):
        prepared(LocalEngine(data_size=0, processes=1), dataset, tmp_path / "rows", passed_over)


EXAMPLE = ROOT / "examples" / "tables"
GONE, STAYS = "u001", "u002"


@pytest.fixture(scope="module")
def forgotten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list with one of the example's users."""
    file = tmp_path_factory.mktemp("list") / "forgotten.json"
    change(file, lambda before: before.with_user(GONE))
    return file


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Those of a training on the example's tables, with the users' keys as a feature."""
    folder = tmp_path_factory.mktemp("tables") / "copy"
    shutil.copytree(EXAMPLE, folder)
    content = yaml.safe_load((folder / "dataset.yaml").read_text())
    content["categorical"].append("user_id")
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    return ["--dataset", "tables", "--spec", str(folder / "dataset.yaml"), "--split", "time"]


def test_somebody_who_is_forgotten_during_a_training_is_in_no_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "forgotten.json"

    def judged(*_: object, **__: object) -> Judgement:
        change(file, lambda before: before.with_user(GONE))
        return Judgement(accepted=False, reason="Made for a test.")

    monkeypatch.setattr(recommending, "judge", judged)
    dataset = TablesDataset(kind="tables", spec=EXAMPLE / "dataset.yaml")
    request = TrainingRequest(dataset=dataset, forgotten=file)
    spec = spec_without(dataset, request.passed_over)
    engine = LocalEngine(data_size=0, processes=1)
    recommending.recommending(engine, spec, request, tmp_path / "made", Progress(io.StringIO()))
    made = Histories(tmp_path / "made" / histories.FILE, [])
    assert made.find(GONE) is None
    assert made.find(STAYS) is not None


def test_a_run_has_no_row_of_them(arguments: list[str], forgotten: Path, tmp_path: Path) -> None:
    made = train(tmp_path, *arguments, "--forgotten", str(forgotten))
    users = pd.read_csv(EXAMPLE / "interactions.csv")["user_id"]
    assert sum(made.result.rows.values()) == (users != GONE).sum() < len(users)
    file = tmp_path / FOLDER / histories.FILE
    assert (histories.has(file, GONE), histories.has(file, STAYS)) == (False, True)
    bundle = Bundle.load(Path(made.result.bundle))
    encoder, column = bundle.click_model.encoder, bundle.schema.categories.index("user_id")
    known = {*encoder.hashes[encoder.offsets[column] : encoder.offsets[column + 1]].tolist()}
    assert (hash_value(GONE) in known, hash_value(STAYS) in known) == (False, True)
    texts = [file.read_text() for file in bundle.path.rglob("*") if file.suffix in {".json", ".jsonl", ".html", ".txt"}]
    assert [user for user in set(users) if any(user in text for text in texts)] == [], "a bundle names no user"


def test_no_intermediate_files_of_another_list_are_used(
    arguments: list[str], forgotten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs: list[str] = []

    def begin(_folder: Path, made_from: str) -> list[str]:
        inputs.append(made_from)
        raise InterruptedError

    monkeypatch.setattr(work, "begin", begin)
    for more in ((), ("--forgotten", str(forgotten)), ("--forgotten", str(tmp_path / "there is none"))):
        with pytest.raises(InterruptedError):
            train(tmp_path, *arguments, *more)
    assert inputs[0] == inputs[2] != inputs[1]


@pytest.mark.spark
@pytest.mark.parametrize("one_row_per", [False, True])
def test_spark_reads_no_row_of_them(spark: SparkSession, spark_log: Path, tmp_path: Path, *, one_row_per: bool) -> None:
    dataset = dataset_of(tmp_path / "data", [1.0, 2.0, 3.0], one_row_per=one_row_per)
    list_ = tmp_path / "forgotten.json"
    before = change(list_, lambda before: before.with_user("2"))
    engine = SparkEngine(session=spark, log=spark_log)
    for passed_over, rows in ((before, 6), (before.with_user("2"), 4)):
        _, read = prepared(engine, dataset, tmp_path / str(rows), passed_over)
        assert read["rows"] == rows
