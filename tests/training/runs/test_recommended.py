"""A run on users and items also trains a recommender; other runs don't."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from personalize.all_users import Batch
from recommend import catalogue, histories, nearest
from recommend.catalogue import Catalogue
from recommend.histories import Histories
from recommend.recommender import FOLDER, GOLDEN, Recommender
from recommend.stored import FOLDER as SNAPSHOTS
from scoring.engines import EngineName
from scoring.model.model import ServedModel, check_recommender, open_ranking
from scoring.responses import ModelName
from tests.support.described_tables import write_tables
from tests.support.training_runs import Run, train
from training import recommending
from training.errors import SpecError
from training.tables.files import load_spec
from training.tables.interactions import read_chosen

USERS, ITEMS, EACH = 80, 40, 20


def tables() -> dict[str, pd.DataFrame]:
    """Users who click on the items of their own half, in the order of the rows."""
    chance = np.random.default_rng(8)
    rows = [
        (f"u{user}", f"i{item}", int(item % 2 == user % 2), 1_700_000_000 + place)
        for user in range(USERS)
        for place, item in enumerate(chance.permutation(ITEMS)[:EACH])
    ]
    return {
        "interactions": pd.DataFrame(rows, columns=["user_id", "item_id", "clicked", "at"]),
        "users": pd.DataFrame({"user_id": [f"u{user}" for user in range(USERS)], "half": np.arange(USERS) % 2}),
        "items": pd.DataFrame({"item_id": [f"i{item}" for item in range(ITEMS)], "kind": np.arange(ITEMS) % 2}),
    }


def written(folder: Path, **changes: object) -> Path:
    content: dict[str, Any] = write_tables(folder, **tables())
    content |= {"categorical": ["half", "kind"], "timestamp": "at", **changes}
    file = folder / "dataset.yaml"
    file.write_text(yaml.safe_dump({name: value for name, value in content.items() if value is not None}))
    return file


def run(folder: Path, spec: Path) -> Run:
    """Clicks that follow from the columns leave the probabilities' scaling to chance, so it decides nothing here."""
    return train(folder / "run", "--dataset", "tables", "--spec", str(spec), "--gate-max-calibration-error", "1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on the tables, in which u0 chose their first item again at last, somebody is new, and items have titles."""
    folder = tmp_path_factory.mktemp("films")
    spec = written(folder)
    table = pd.read_csv(folder / "interactions.csv")
    again = table.query("user_id == 'u0' and clicked == 1").head(1).assign(at=2_000_000_000)
    pd.concat([again, table]).to_csv(folder / "interactions.csv", index=False)
    new = pd.DataFrame({"user_id": ["new"], "half": [1]})
    pd.concat([pd.read_csv(folder / "users.csv"), new]).to_csv(folder / "users.csv", index=False)
    items = pd.read_csv(folder / "items.csv")
    items.assign(title="Film " + items["item_id"]).to_csv(folder / "items.csv", index=False)
    return run(folder, spec)


def test_the_bundle_and_the_report_have_the_recommender(made: Run) -> None:
    judged = made.result.metrics["recommender"]
    assert judged["accepted"]
    assert judged["by_time"]
    assert judged["figures"]["recommender"]["ndcg"] > judged["figures"]["popularity"]["ndcg"]
    bundle = Path(made.result.bundle)
    found = Recommender.load(bundle / FOLDER, open_ranking)
    assert sorted(found.items) == sorted(f"i{item}" for item in range(ITEMS))
    assert f"{FOLDER}/{GOLDEN}" in json.loads((bundle / "files.json").read_text())
    ten = found.recommend(np.array([found.numbers["i3"], found.numbers["i9"]]), 10, np.empty(0, np.int64))
    assert {int(found.items[one.item][1:]) % 2 for one in ten} == {1}
    report = (bundle / "report.html").read_text()
    assert "<h2>How good the recommendations are</h2>" in report
    assert judged["reason"] in report
    assert f"recommendations: {judged['reason']}" in made.result.to_text()


def test_histories_and_items_lie_beside_the_bundle_and_not_in_it(made: Run) -> None:
    bundle = Path(made.result.bundle)
    table = pd.read_csv(made.output.parent / "interactions.csv")
    first, table = table["item_id"].iloc[0], table[1:]
    keys = [f"i{item}" for item in range(ITEMS)]

    found = Histories(bundle.parent / SNAPSHOTS / histories.FILE, keys)
    of_user = table[table["user_id"] == "u0"].sort_values("at")
    known, other = found.find("u0"), found.find("new")
    assert known is not None
    assert other is not None
    expected = of_user[of_user["clicked"] == 1]["item_id"].tolist()
    assert [keys[number] for number in known.chosen] == [item for item in expected if item != first] + [first]
    assert known.columns == {"half": "0"}
    assert (other.chosen.tolist(), other.columns) == ([], {"half": "1"})
    assert found.find("nobody") is None

    catalogued = Catalogue(bundle.parent / SNAPSHOTS / catalogue.FILE, ["i3"])
    assert catalogued.item("i3").columns == {"item_id": "i3", "kind": "1", "title": "Film i3"}
    assert catalogued.having("kind", ["1"]).sum() == ITEMS / 2
    assert not [file for file in bundle.rglob("*") if file.is_file() and b'"u17"' in file.read_bytes()]


def test_what_was_seen_and_not_chosen_is_recommended_and_a_later_choice_of_it_counts(tmp_path: Path) -> None:
    """In a shop whose customers see everything that they will ever buy on the first day."""
    spec = written(tmp_path)
    table = pd.read_csv(tmp_path / "interactions.csv").query("clicked == 1")
    seen = table.assign(clicked=0, at=table["at"] - 100_000)
    pd.concat([seen, table]).to_csv(tmp_path / "interactions.csv", index=False)
    judged = run(tmp_path, spec).result.metrics["recommender"]
    assert judged["users"] == USERS
    assert judged["figures"]["recommender"]["ndcg"] > judged["figures"]["popularity"]["ndcg"]

    bought = table[table["at"] < table["at"].max() - EACH // 2]
    pd.concat([seen, bought]).to_csv(tmp_path / "interactions.csv", index=False)
    made = Path(run(tmp_path / "earlier", spec).result.bundle)
    batch = Batch(bundle=made, snapshots=made.parent / SNAPSHOTS, name=ModelName(name="shop", version="1"), top=ITEMS)
    batch.write(tmp_path / "all.parquet", lambda _done, _total: None)
    found = pd.read_parquet(tmp_path / "all.parquet").groupby("user")["item"].agg(set)
    for user, chosen in bought.groupby("user_id")["item_id"]:
        assert found[user].isdisjoint(chosen)
        assert found[user] >= {*seen.query("user_id == @user")["item_id"]} - {*chosen}


def test_a_service_ranks_as_training_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommending, "WEIGHTS", (1.0,))
    made = run(tmp_path, written(tmp_path, crosses=[["half", "kind"]]))
    bundle = Path(made.result.bundle)
    name = ModelName(name="films", version="1")
    model = ServedModel.load(bundle, name=name, engine=EngineName.LIGHTGBM, max_records=10)
    assert model.recommender is not None
    assert model.recommender.ranking is not None
    assert [field.name for field in model.recommender.user_columns] == ["half"]
    check_recommender(model.recommender, model.bundle)
    model.close()
    assert made.result.metrics["recommender"]["ranking_weight"] == 1
    assert set(made.result.metrics["recommender"]["figures"]) == {
        "recommender",
        "first stage alone",
        "popularity",
        "SAR",
    }
    assert "First stage alone" in (bundle / "report.html").read_text()


def test_a_second_stage_that_gains_nothing_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommending, "WEIGHTS", (0.0,))
    bundle = Path(run(tmp_path, written(tmp_path)).result.bundle)
    assert Recommender.load(bundle / FOLDER, open_ranking).ranking is None
    assert "The second stage gained nothing" in (bundle / "report.html").read_text()


def test_the_recommender_that_serves_has_learned_from_all_rows(tmp_path: Path) -> None:
    spec = written(tmp_path)
    file = tmp_path / "interactions.csv"
    table = pd.read_csv(file)
    last = table["at"] == 1_700_000_000 + EACH - 1
    moved = last & table["user_id"].isin(["u2", "u4"])
    table["item_id"] = table["item_id"].mask(moved, "i38")
    table["clicked"] = table["clicked"].mask(moved, 1)
    table = table[(table["item_id"] != "i38") | last]
    table.to_csv(file, index=False)
    found = Recommender.load(Path(run(tmp_path, spec).result.bundle) / FOLDER, open_ranking)
    assert "i38" in found.items


def test_a_dataset_without_keys_of_users_has_none(tmp_path: Path) -> None:
    made = run(tmp_path, written(tmp_path, users=None, categorical=["kind"]))
    assert "recommender" not in made.result.metrics
    assert not (Path(made.result.bundle) / FOLDER).exists()
    assert "<h2>How good the recommendations are</h2>" not in (Path(made.result.bundle) / "report.html").read_text()
    assert "recommend" not in made.result.seconds


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("recommend.judgement.FEWEST_USERS", USERS + 1, "it takes 81 to judge one"),
        ("training.tables.interactions.available", lambda: 100 * 600, "There are more than 100 interactions, and no"),
    ],
)
def test_a_recommender_that_was_not_made_is_not_in_the_bundle_which_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: object, reason: str
) -> None:
    monkeypatch.setattr(limit, value)
    found = run(tmp_path, written(tmp_path, crosses=[["half", "kind"]]))  # which alone tells clicks from others
    assert found.result.verdict.accepted
    assert not (Path(found.result.bundle) / FOLDER).exists()
    assert reason in found.result.metrics["recommender"]["reason"]
    assert "Not served" in (Path(found.result.bundle) / "report.html").read_text()


def test_the_run_counts_items_beyond_the_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommend.judgement.MOST_ITEMS", ITEMS - 3)
    monkeypatch.setattr("recommend.mixing.MOST_ITEMS", ITEMS - 3)
    counted = run(tmp_path, written(tmp_path)).result.counted
    table = pd.read_csv(tmp_path / "interactions.csv")
    of_items = np.sort(table[table["clicked"] == 1]["item_id"].value_counts().to_numpy())
    assert counted["Rarest items that are not learned"] == len(of_items) - (ITEMS - 3)
    assert of_items[:3].sum() <= counted["Choices of these"] <= of_items[-3:].sum()


@pytest.mark.parametrize("kind", ["positives", "all"])
def test_choices_are_clicks_or_all_interactions_of_known_users(tmp_path: Path, kind: str) -> None:
    """Of an item that is not in its table is learned, too; it may not be recommended."""
    spec = written(tmp_path, candidates_from=kind)
    table = pd.read_csv(tmp_path / "interactions.csv")
    strange = pd.DataFrame({"user_id": ["u0", "?"], "item_id": ["?", "i0"], "clicked": [1, 1], "at": [1, 2]})
    pd.concat([strange, table]).to_csv(tmp_path / "interactions.csv", index=False)
    table = pd.concat([strange[:1], table])
    expected = table if kind == "all" else table[table["clicked"] == 1]
    found = read_chosen(load_spec(spec))
    assert [found.items[item] for item in found.choices.items] == expected["item_id"].tolist()
    assert found.choices.times is not None
    assert found.choices.times.tolist() == expected["at"].tolist()
    assert found.users == sorted(table["user_id"].unique())
    assert [found.items[item] for item in np.flatnonzero(~found.listed)] == ["?"]


@pytest.mark.parametrize("value", ["all", "some"])
def test_candidates_from_needs_users_and_items_and_a_known_value(tmp_path: Path, value: str) -> None:
    with pytest.raises(SpecError, match="candidates_from"):
        load_spec(written(tmp_path, users=None, categorical=["kind"], candidates_from=value))


def test_weights_from_the_nearest_items_are_reproduced_by_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "MOST_PAIRED_ITEMS", ITEMS - 1)
    monkeypatch.setattr(recommending, "WEIGHTS", (1.0,))
    made = run(tmp_path, written(tmp_path))
    judged, bundle = made.result.metrics["recommender"], Path(made.result.bundle)
    assert judged["nearest"] == 50
    assert judged["figures"]["recommender"]["ndcg"] > judged["figures"]["popularity"]["ndcg"]
    assert "learned as weights between items, of each from the 50 nearest." in (bundle / "report.html").read_text()
    model = ServedModel.load(
        bundle, name=ModelName(name="films", version="1"), engine=EngineName.LIGHTGBM, max_records=10
    )
    assert model.recommender is not None
    check_recommender(model.recommender, model.bundle)
    ten = model.recommender.recommend(np.array([model.recommender.numbers["i3"]]), 10, np.empty(0, np.int64))
    assert {int(model.recommender.items[one.item][1:]) % 2 for one in ten} == {1}
    model.close()
