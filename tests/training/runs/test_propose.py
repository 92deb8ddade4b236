"""`init-data` tries keys, crosses and factors, and proposes what helps on rows that were held out, and no others."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from personalize.commands.app import app
from training.datasets import describe
from training.init_data import trial
from training.init_data.trial import Crosses, CrossSearch, candidates, factors_to_try, is_better
from training.local.engine import LocalEngine
from training.parameters import TablesDataset
from training.pipeline import Pipeline
from training.progress import Format, Progress
from training.request import TrainingRequest
from training.tables.files import load_spec

ROWS = 6_000


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


def tables(folder: Path, *, matters: bool, columns: bool = True) -> Path:
    """Users and items of two hidden kinds: 85 of 100 clicks are on an item of the user's own kind, if it `matters`."""
    random = np.random.default_rng(8)
    clicks = pd.DataFrame({"user_id": random.integers(0, 60, ROWS), "item_id": random.integers(0, 50, ROWS)})
    liked = (clicks["user_id"] + clicks["item_id"]) % 2 == 0 if matters else np.zeros(ROWS, dtype=np.bool_)
    clicks["clicked"] = (random.random(ROWS) < np.where(liked, 0.85, 0.15)).astype(int)
    if columns:
        ages = pd.DataFrame({"user_id": range(60), "age": random.integers(16, 80, 60)})
        ages.to_csv(folder / "users.csv", index=False)
        clicks["seen_at"] = pd.date_range("2026-01-01", periods=ROWS, freq="min").astype(str)
    clicks.to_csv(folder / "interactions.csv", index=False)
    return folder


def drafted(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The config that `init-data` writes, as YAML reads it and as text."""
    done = CliRunner().invoke(app, ["init-data", str(folder), "--json", *options])
    assert done.exit_code == 0, done.output
    written = Path(json.loads(done.stdout)["path"])
    content: dict[str, Any] = yaml.safe_load(written.read_text())
    return content, written.read_text()


def test_keys_and_factors_are_proposed_where_what_users_like_is_in_no_column(tmp_path: Path) -> None:
    content, text = drafted(tables(tmp_path, matters=True))
    assert content["categorical"] == ["user_id", "item_id"]
    assert content["factors"] == ["user_id", "item_id"]
    assert "# +0." in next(line for line in text.splitlines() if line.startswith("factors"))
    assert "They tell nothing of new users and items" in text


def test_what_gains_nothing_is_left_out_with_what_it_reached(tmp_path: Path) -> None:
    content, text = drafted(tables(tmp_path, matters=False))
    assert "categorical" not in content
    assert "factors" not in content
    assert "AUC on later rows)" in text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_key_of_pure_noise_gains_nothing(tmp_path: Path, seed: int) -> None:
    """Few rows differ without the key, so it would decide which are held out: only the same rows show what it gains."""
    random = np.random.default_rng(seed)
    clicks = pd.DataFrame(
        {"user_id": random.integers(0, 300, ROWS), "device": random.choice(["tv", "web", "app"], ROWS)}
    )
    clicks["page"] = random.choice(["home", "search", "offer", "news"], ROWS)
    chance = clicks["device"].map({"tv": 0.2, "web": 0.4, "app": 0.7}) - 0.15 * (clicks["page"] == "news")
    clicks["clicked"] = (random.random(ROWS) < chance).astype(int)
    clicks.to_csv(tmp_path / "interactions.csv", index=False)
    content, text = drafted(tmp_path)
    assert content["users"]["key"] == "user_id"
    assert content["categorical"] == ["device", "page"]
    (gain,) = re.findall(r"user_id: as categories .*\n# +\(tried: (\S+) AUC on held-out rows\)", text)
    assert float(gain) < 0.005


def test_interactions_of_nothing_but_keys_and_label_are_enough(tmp_path: Path) -> None:
    content, text = drafted(tables(tmp_path, matters=True, columns=False))
    assert content["categorical"] == ["user_id", "item_id"]
    assert content["factors"] == ["user_id", "item_id"]
    assert "AUC on held-out rows" in text


def test_without_a_trial_the_keys_stay_out(tmp_path: Path) -> None:
    content, text = drafted(tables(tmp_path, matters=True), "--no-trial")
    assert "categorical" not in content
    assert "user_id and item_id: as categories" in text


@pytest.mark.full
def test_a_large_table_is_tried_on_its_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pattern in all rows but the first 5,000, nothing is found in those."""
    tables(tmp_path, matters=True)
    rows = pd.read_csv(tmp_path / "interactions.csv")
    rows.loc[:5_000, "clicked"] = np.random.default_rng(1).integers(0, 2, 5_001)
    later = pd.concat([rows, *[rows[5_001:]] * 9], ignore_index=True)
    later["seen_at"] = pd.date_range("2026-01-01", periods=len(later), freq="min").astype(str)
    later.to_csv(tmp_path / "interactions.csv", index=False)
    assert "factors" in drafted(tmp_path)[0]
    monkeypatch.setattr(trial, "SAMPLE_ROWS", 5_000)
    assert "factors" not in drafted(tmp_path, "--force")[0]


ROWS, GENRES = 6_000, ("Action", "Comedy", "Crime", "Drama", "Family", "Horror", "Noir", "War")
SPEC = {
    "interactions": "interactions.csv",
    "users": {"path": "users.csv", "key": "user_id"},
    "items": {"path": "items.csv", "key": "item_id"},
    "label": {"column": "clicked"},
    "numeric": ["age", "minutes"],
    "categorical": ["user_id", "item_id", "taste", "city", "genre", {"column": "mood", "separator": "|"}, "device"],
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """85 of 100 clicks are on a film of the user's favourite genre; the rest is chance."""
    folder = tmp_path_factory.mktemp("films")
    random = np.random.default_rng(3)

    def drawn(values: tuple[str, ...], rows: int) -> list[str]:
        chosen: list[str] = random.choice(values, rows).tolist()
        return chosen

    users = pd.DataFrame({"user_id": range(200), "taste": drawn(GENRES, 200), "city": drawn(("Rome", "Oslo"), 200)})
    items = pd.DataFrame({"item_id": range(100), "genre": drawn(GENRES, 100), "mood": drawn(("a|b", "b", "c|a"), 100)})
    users["age"], items["minutes"] = random.integers(16, 80, 200), random.integers(60, 180, 100)
    clicks = pd.DataFrame({"user_id": random.integers(0, 200, ROWS), "item_id": random.integers(0, 100, ROWS)})
    clicks["device"] = drawn(("phone", "desk"), ROWS)
    liked = users["taste"][clicks["user_id"]].to_numpy() == items["genre"][clicks["item_id"]].to_numpy()
    clicks["clicked"] = (random.random(ROWS) < np.where(liked, 0.85, 0.15)).astype(int)
    for name, table in (("users", users), ("items", items), ("interactions", clicks)):
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def described(films: Path, name: str, **changes: object) -> Path:
    file = films / f"{name}.yaml"
    file.write_text(yaml.safe_dump(SPEC | changes))
    return file


def found(file: Path, folder: Path) -> Crosses:
    arguments = TrainingRequest(dataset=TablesDataset(kind="tables", spec=file))
    progress = Progress(io.StringIO(), style=Format.JSON)
    engine = LocalEngine(data_size=0, processes=1)
    pipeline = Pipeline(
        engine, arguments, describe(arguments.dataset), load_spec(file), output=folder, progress=progress
    )
    search = CrossSearch(pipeline.first_half(), arguments.training, folder=folder / "crosses", progress=progress)
    return search.run(candidates(load_spec(file)), factors_to_try(load_spec(file)))


def test_each_column_of_users_is_tried_with_each_of_items_but_not_key_with_key(films: Path) -> None:
    assert set(candidates(load_spec(described(films, "all")))) == {
        ("user_id", "genre"),
        ("user_id", "mood"),
        ("taste", "item_id"),
        ("city", "item_id"),
        ("taste", "genre"),
        ("taste", "mood"),
        ("city", "genre"),
        ("city", "mood"),
    }


def test_two_columns_of_several_values_are_not_tried(films: Path) -> None:
    several = [{"column": name, "separator": "|"} for name in ("taste", "mood")]
    file = described(films, "some", categorical=["city", "genre", *several])
    assert set(candidates(load_spec(file))) == {("taste", "genre"), ("city", "genre"), ("city", "mood")}


def test_the_pair_that_decides_is_found_and_no_other(films: Path, tmp_path: Path) -> None:
    crosses = found(described(films, "found", categorical=["taste", "city", "genre"]), tmp_path)
    assert crosses.crosses == (("taste", "genre"),)
    without, best = crosses.reached
    assert best > without


def test_factors_are_tried_where_both_keys_are_features_of_one_value(films: Path) -> None:
    keys = ("user_id", "item_id")
    assert factors_to_try(load_spec(described(films, "both"))) == keys
    assert factors_to_try(load_spec(described(films, "one", categorical=["user_id", "genre"]))) is None
    several = ["user_id", {"column": "item_id", "separator": "|"}]
    assert factors_to_try(load_spec(described(films, "several", categorical=several))) is None


@given(st.integers(0, 2**32 - 1), st.integers(2, 500))
def test_equal_or_larger_losses_are_never_better_and_smaller_ones_on_all_rows_are(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    losses = random.exponential(0.5, rows)
    assert not is_better(losses, losses)
    assert not is_better(losses + 0.01, losses)
    assert is_better(losses - 0.01, losses)
