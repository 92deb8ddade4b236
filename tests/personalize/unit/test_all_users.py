"""Recommendations for all users are those of the service, in a file that is complete or not there."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from features.bundle import checked_hash
from features.errors import BadInputError
from personalize import all_users
from personalize.all_users import SCHEMA, Batch, NoRecommendationsError, OutputError
from personalize.commands import service as recommending
from personalize.commands.app import app
from recommend import histories
from recommend.forgotten import change
from recommend.histories import UserRow
from recommend.stored import SnapshotError
from scoring.engines import EngineName
from scoring.model.model import ServedModel
from scoring.responses import ModelName
from steps.folders import StackFolder
from steps.registry_here import LocalRegistry
from steps.serving_settings import ScoringSettings
from tests.support.recommenders import STORED_ITEMS, make_recommending_bundle, recommender, write_snapshots


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recommending_bundle(tmp_path_factory.mktemp("batch") / "bundle", recommender())


@pytest.fixture
def small(bundle: Path, tmp_path: Path) -> Batch:
    """The batch of u1, who chose b, and "3", who chose what nobody knows; only a, b, c and d are there."""
    folder = write_snapshots(tmp_path / "snapshots", genres={"a": "", "b": "x", "c": "x", "d": ""})
    return Batch(bundle=bundle, snapshots=folder, name=ModelName(name="films", version="4"), top=2)


def many(made: Batch, count: int) -> list[str]:
    """Replace the histories by those of so many users, in their order."""
    users = [f"u{number:04}" for number in range(count)]
    chosen = np.array([STORED_ITEMS.index("b")], histories.PACKED).tobytes()
    rows = [UserRow(user, chosen, {}) for user in users]
    histories.write(made.snapshots / histories.FILE, STORED_ITEMS, rows, "user_id")
    return users


def scored(made: Batch, records: list[dict[str, object]]) -> list[float]:
    """The click probabilities of records that are stated in full."""
    model = ServedModel.load(made.bundle, name=made.name, engine=EngineName.LIGHTGBM, max_records=len(records))
    rows, _ = model.click_model.types.read_score(json.dumps({"records": records}).encode())
    return asyncio.run(model.click_model.score(rows))


def silent(done: int, total: int) -> None:
    assert done <= total


def test_everybody_with_a_history_gets_the_items_that_the_service_would_recommend(small: Batch, tmp_path: Path) -> None:
    target = tmp_path / "recs.parquet"
    assert small.write(target, silent) == 2
    table = parquet.read_table(target)
    assert table.schema.equals(SCHEMA)
    rows = table.drop(["probability"]).to_pandas().to_numpy().tolist()
    assert rows == [
        ["3", 1, "a", 0.0, "4"],
        ["3", 2, "b", 0.0, "4"],
        ["u1", 1, "a", 0.5, "4"],
        ["u1", 2, "c", 0.5, "4"],
    ]
    clicks = scored(small, [{}, {"genre": "x"}, {"age": 30}, {"age": 30, "genre": "x"}])
    assert len({*clicks}) > 2
    assert table["probability"].to_pylist() == clicks
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["recs.parquet"]


def test_new_items_take_the_last_places(small: Batch, tmp_path: Path) -> None:
    write_snapshots(small.snapshots, genres={"a": "", "b": "x", "c": "x", "d": "", "n1": "", "n2": "x"})
    replace(small, top=3, new=2).write(tmp_path / "recs.parquet", silent)
    rows = parquet.read_table(tmp_path / "recs.parquet").to_pandas()
    assert rows["item"].tolist() == ["a", "n2", "n1"] * 2
    assert rows["rank"].tolist() == [1, 2, 3] * 2
    assert rows["score"].isna().tolist() == [False, True, True] * 2
    assert rows["probability"].tolist() == scored(
        small, [{}, {"genre": "x"}, {}, {"age": 30}, {"age": 30, "genre": "x"}, {"age": 30}]
    )


@pytest.mark.slow
def test_several_processes_write_what_one_writes(small: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = many(small, 50)
    small.write(tmp_path / "one.parquet", silent)
    monkeypatch.setattr(all_users, "USERS_TOGETHER", 20)
    monkeypatch.setattr(all_users, "cores", lambda: 2)
    reports: list[tuple[int, int]] = []
    small.write(tmp_path / "two.parquet", lambda done, total: reports.append((done, total)))
    one, two = (pd.read_parquet(tmp_path / name) for name in ("one.parquet", "two.parquet"))
    pd.testing.assert_frame_equal(one, two)
    assert one["user"].unique().tolist() == users
    assert reports[0] == (0, 50)
    assert reports[-1] == (50, 50)


def test_an_interrupted_run_leaves_nothing(small: Batch, tmp_path: Path) -> None:
    def report(done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    before = {*tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        small.write(tmp_path / "recs.parquet", report)
    assert {*tmp_path.iterdir()} == before


def test_what_cannot_be_done_is_said(small: Batch, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Free space or name another file"):
        small.write(tmp_path / "nowhere" / "recs.parquet", silent)
    with pytest.raises(BadInputError, match="2,000 items for each user are too many: give 1,000"):
        Batch(bundle=small.bundle, snapshots=small.snapshots, name=small.name, top=2_000).write(tmp_path / "x", silent)
    (small.snapshots / histories.FILE).write_bytes(b"torn")
    with pytest.raises(SnapshotError):
        small.write(tmp_path / "recs.parquet", silent)
    (small.snapshots / histories.FILE).unlink()
    with pytest.raises(NoRecommendationsError, match="no histories of users"):
        small.write(tmp_path / "recs.parquet", silent)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["recommend", "--all-users", *arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stack that serves this bundle."""
    made = tmp_path_factory.mktemp("stack")
    own = StackFolder(made).snapshots_of(checked_hash(bundle))
    write_snapshots(own, genres={"a": "x", "b": "x|y", "c": "y", "d": "", "n": "x"})
    registry = LocalRegistry(made / "registry")
    registry.create()
    registry.set_champion(registry.register(bundle).number)
    return made


@pytest.fixture
def stack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recommending, "state_folder", lambda _: folder)
    settings = SimpleNamespace(azure=None, scoring=ScoringSettings.model_validate({"new_items": 1}))
    monkeypatch.setattr(recommending, "settings_of", lambda *_: settings)
    return folder


@pytest.mark.slow
def test_the_command_writes_the_file_of_the_champion(stack: Path) -> None:
    found = run("--top", "2", "--out", str(stack / "recs.parquet"))
    assert "recs.parquet: the best 2 items for each of 2 users, by model version 1" in found.stdout
    assert pd.read_parquet(stack / "recs.parquet")["item"].tolist() == ["a", "n", "a", "n"]
    run("--top", "2", "--new", "0", "--out", str(stack / "recs.parquet"))
    assert pd.read_parquet(stack / "recs.parquet")["item"].tolist() == ["a", "b", "a", "c"]
    change(StackFolder(stack).forgotten, lambda before: before.with_user("3.0"))
    assert "for each of 1 users" in run("--top", "2", "--out", str(stack / "recs.parquet")).stdout
    assert {*pd.read_parquet(stack / "recs.parquet")["user"]} == {"u1"}


@pytest.mark.parametrize("arguments", [[], ["u1", "--out", "x"], ["--out", "x", "--show", "title"]])
def test_all_users_need_a_file_and_nothing_about_one_user(arguments: Sequence[str]) -> None:
    with pytest.raises(BadInputError, match="requires `--out FILE`"):
        run(*arguments)


def test_a_name_that_promises_another_format_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"ends in \.parquet, not recs\.csv"):
        run("--out", "recs.csv")
