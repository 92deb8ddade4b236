"""The right pairs of columns are tried as crosses, and those that help are proposed and no others."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from training.arguments import parse
from training.datasets import describe
from training.datasets.described.spec import load_spec
from training.engines.local.engine import LocalEngine
from training.progress import Format, Progress
from training.stages.crosses import Crosses, CrossSearch, candidates, factors_to_try, is_better
from training.stages.pipeline import Pipeline

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
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def described(tables: Path, name: str, **changes: object) -> Path:
    file = tables / f"{name}.yaml"
    file.write_text(yaml.safe_dump(SPEC | changes))
    return file


def found(file: Path, folder: Path) -> Crosses:
    arguments = parse(["--dataset", "tables", "--spec", str(file)])
    progress = Progress(io.StringIO(), style=Format.JSON)
    engine = LocalEngine(data_size=0, processes=1)
    pipeline = Pipeline(engine, arguments, describe(arguments.dataset), output=folder, progress=progress)
    search = CrossSearch(pipeline.first_half(), arguments.training, folder=folder / "crosses", progress=progress)
    return search.run(candidates(load_spec(file)), factors_to_try(load_spec(file)))


def test_each_column_of_users_is_tried_with_each_of_items_but_not_key_with_key(tables: Path) -> None:
    assert set(candidates(load_spec(described(tables, "all")))) == {
        ("user_id", "genre"),
        ("user_id", "mood"),
        ("taste", "item_id"),
        ("city", "item_id"),
        ("taste", "genre"),
        ("taste", "mood"),
        ("city", "genre"),
        ("city", "mood"),
    }


def test_what_is_named_or_cannot_be_crossed_is_not_tried(tables: Path) -> None:
    several = [{"column": name, "separator": "|"} for name in ("taste", "mood")]
    file = described(tables, "some", categorical=["city", "genre", *several], crosses=[["genre", "city"]])
    assert set(candidates(load_spec(file))) == {("taste", "genre"), ("city", "mood")}


def test_the_pair_that_decides_is_found_and_no_other(tables: Path, tmp_path: Path) -> None:
    crosses = found(described(tables, "found", categorical=["taste", "city", "genre"]), tmp_path)
    assert crosses.crosses == (("taste", "genre"),)
    without, best = crosses.steps
    assert (without.added, best.added) == ("", "taste x genre")
    assert best.auc > without.auc
    assert best.log_loss < without.log_loss - 0.01


def test_what_the_description_names_stays_and_is_what_others_are_measured_beside(tables: Path, tmp_path: Path) -> None:
    file = described(tables, "named", categorical=["taste", "city", "genre"], crosses=[["taste", "genre"]])
    crosses = found(file, tmp_path)
    assert crosses.crosses == (("taste", "genre"),)
    assert [step.added for step in crosses.steps] == [""]


def test_factors_are_tried_where_both_keys_are_features_of_one_value(tables: Path) -> None:
    keys = ("user_id", "item_id")
    assert factors_to_try(load_spec(described(tables, "both"))) == keys
    assert factors_to_try(load_spec(described(tables, "one", categorical=["user_id", "genre"]))) is None
    assert factors_to_try(load_spec(described(tables, "known", factors=["item_id", "user_id"]))) is None
    several = ["user_id", {"column": "item_id", "separator": "|"}]
    assert factors_to_try(load_spec(described(tables, "several", categorical=several))) is None


@pytest.mark.parametrize(("matters", "expected"), [(1, ("user_id", "item_id")), (0, None)])
def test_factors_are_found_where_what_users_like_is_in_no_column(
    tmp_path: Path, matters: int, expected: tuple[str, str] | None
) -> None:
    """Users and items are of two hidden kinds: 85 of 100 clicks are on an item of the user's own kind."""
    random = np.random.default_rng(8)
    users = pd.DataFrame({"user_id": range(60), "age": 30})
    items = pd.DataFrame({"item_id": range(50), "minutes": 90})
    clicks = pd.DataFrame({"user_id": random.integers(0, 60, ROWS), "item_id": random.integers(0, 50, ROWS)})
    liked = (clicks["user_id"] + clicks["item_id"]) % 2 == 0 if matters else np.zeros(ROWS, dtype=np.bool_)
    clicks["clicked"] = (random.random(ROWS) < np.where(liked, 0.85, 0.15)).astype(int)
    for name, table in (("users", users), ("items", items), ("interactions", clicks)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    file = described(tmp_path, "factors", numeric=["minutes"], categorical=["user_id", "item_id"])
    crosses = found(file, tmp_path / "run")
    assert crosses.crosses == ()
    assert crosses.factors == expected
    assert (crosses.steps[-1].log_loss < crosses.steps[0].log_loss - 0.1) == bool(matters)


@given(st.integers(0, 2**32 - 1), st.integers(2, 500))
def test_equal_or_larger_losses_are_never_better_and_smaller_ones_on_all_rows_are(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    losses = random.exponential(0.5, rows)
    assert not is_better(losses, losses)
    assert not is_better(losses + 0.01, losses)
    assert is_better(losses - 0.01, losses)
