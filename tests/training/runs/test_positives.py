"""A run on positives alone: it trains a recommender, and everything about a click model is left out."""

import asyncio
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.bundle import Bundle, NoClickModelError
from recommend import catalogue, histories
from recommend.recommender import FOLDER, GOLDEN_REQUESTS
from recommend.stored import FOLDER as SNAPSHOTS
from scoring.engines import EngineName
from scoring.model.model import ServedModel
from scoring.request_errors import Rejection
from scoring.responses import ModelName
from tests.support.training_runs import Run, train
from tests.training.runs.test_recommended import ITEMS, USERS, written
from training.datasets import describe
from training.errors import SpecError
from training.parameters import TablesDataset

ALONE = {"report.html", "files.json", "metadata.json", "schema.json"}
"""What a bundle holds besides its models."""


def run(folder: Path, spec: Path, *options: str) -> Run:
    return train(folder / "run", "--dataset", "tables", "--spec", str(spec), *options)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on clicks and others, with a click model and a recommender that learns from all rows alike."""
    folder = tmp_path_factory.mktemp("labelled")
    return run(folder, written(folder, candidates_from="all"))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows without their label: each is a choice."""
    folder = tmp_path_factory.mktemp("positives")
    path = written(folder, label="positives")
    table = pd.read_csv(folder / "interactions.csv")
    table.drop(columns="clicked").to_csv(folder / "interactions.csv", index=False)
    return path


@pytest.fixture(scope="module")
def alone(spec: Path) -> Run:
    return run(spec.parent, spec)


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_recommender_is_the_one_that_learns_from_all_rows_of_a_dataset_with_a_label(
    alone: Run, labelled: Run
) -> None:
    own, other = Path(alone.result.bundle), Path(labelled.result.bundle)
    assert files(own / FOLDER) == files(other / FOLDER)
    assert alone.result.metrics["recommender"] == labelled.result.metrics["recommender"]
    for name in (histories.FILE, catalogue.FILE):
        assert (own.parent / SNAPSHOTS / name).is_file()


def test_the_bundle_has_no_file_of_a_click_model(alone: Run, labelled: Run) -> None:
    own, other = (files(Path(one.result.bundle)).keys() for one in (alone, labelled))
    recommender = {name for name in other if name.startswith(FOLDER)}
    assert own == ALONE | recommender
    assert {"model.txt", "golden.jsonl", "reference.json"} <= other
    bundle = Bundle.load(Path(alone.result.bundle))
    assert bundle.schema.features == ("half", "kind")
    with pytest.raises(NoClickModelError, match="trained only on positives, so it only recommends"):
        _ = bundle.click_model


def test_the_verdict_and_the_metrics_are_the_recommenders(alone: Run) -> None:
    metrics, verdict = alone.result.metrics, alone.result.verdict
    figures, reason = metrics["recommender"]["figures"], metrics["recommender"]["reason"]
    assert verdict.accepted
    assert verdict.reasons == (reason,)
    assert {name: value for name, value in metrics.items() if name != "recommender"} == {
        "ndcg": figures["recommender"]["ndcg"],
        "recall": figures["recommender"]["recall"],
        "popularity_ndcg": figures["popularity"]["ndcg"],
        "popularity_recall": figures["popularity"]["recall"],
    }
    first, *others = alone.result.to_text().splitlines()
    assert first.startswith(f"NDCG@10 {metrics['ndcg']:.4f} and recall@10 {metrics['recall']:.4f}, by popularity ")
    assert others[:2] == ["verdict: accepted", f"  {reason}"]
    assert [line.partition(":")[0] for line in others[2:]] == ["bundle", "report"]


def test_the_report_says_what_was_judged(alone: Run) -> None:
    page = Path(alone.result.report).read_text(encoding="utf-8")
    assert "Accepted: this recommender may serve" in page
    assert "Every row is a choice, so there is no click model." in page
    assert alone.result.verdict.reasons[0] in page
    assert '<th scope="row">smoothing</th>' in page
    assert '<th scope="row">train fraction</th>' not in page
    assert "AUC" not in page


def test_rows_without_a_known_user_or_item_are_counted_whatever_is_trained(tmp_path: Path) -> None:
    joined = (
        "1,600 of 1,604 interactions have a known user and item; "
        "dropped: 1 whose user is not in the table of users, 3 whose item is not in the table of items. "
        "Among the interactions are 1 dated far after all others, from which no age counts"
    )
    chosen = (
        "1,603 of 1,604 interactions have a known user; dropped: 1 whose user is not in the table of users. "
        "Among the interactions are 1 dated far after all others, from which no age counts, 3 with items that are "
        "learned from and not recommended"
    )
    for name, changes, told in (("positives", {"label": "positives"}, chosen), ("clicks", {}, joined)):
        folder = tmp_path / name
        folder.mkdir()
        path = written(folder, **changes)
        strange = pd.DataFrame({"user_id": ["?", *["u0"] * 3], "item_id": ["i1", *["?"] * 3], "clicked": 1, "at": 1})
        table = pd.concat([strange, pd.read_csv(folder / "interactions.csv")])
        table["at"] = [*table["at"][:-1], 4e9]
        table.to_csv(folder / "interactions.csv", index=False)
        made = run(folder, path)
        assert sum(told.split(". Among")[0] in line for line in made.progress) == 1, "as `up` shows it"
        assert told in Path(made.result.report).read_text(encoding="utf-8")
        assert describe(TablesDataset(kind="tables", spec=path)).dropped == told


def test_a_service_reproduces_it_and_gives_no_click_probability(alone: Run) -> None:
    name = ModelName(name="shop", version="1")
    model = ServedModel.load(Path(alone.result.bundle), name=name, engine=EngineName.LIGHTGBM, max_records=10)
    assert asyncio.run(model.check_golden()) == GOLDEN_REQUESTS
    assert model.ready
    with pytest.raises(Rejection, match="trained only on positives"):
        _ = model.click_model
    model.close()


def test_a_recommender_that_cannot_be_judged_is_rejected_without_figures(tmp_path: Path) -> None:
    spec = written(tmp_path, label="positives")
    table = pd.read_csv(tmp_path / "interactions.csv")
    table[table["user_id"].isin({f"u{user}" for user in range(5)})].to_csv(tmp_path / "interactions.csv", index=False)
    made = run(tmp_path, spec)
    assert not made.result.verdict.accepted
    assert files(Path(made.result.bundle)).keys() == ALONE
    assert made.result.metrics.keys() == {"recommender"}
    assert made.result.to_text().startswith("verdict: rejected\n  There is no recommender: 5 users chose anything new")
    page = Path(made.result.report).read_text(encoding="utf-8")
    assert "Rejected: this recommender does not serve" in page
    assert "The previous version keeps serving." in page


def test_columns_are_not_needed(tmp_path: Path) -> None:
    spec = written(tmp_path, label="positives", categorical=None, users={"key": "user_id"}, items={"key": "item_id"})
    made = run(tmp_path, spec)
    assert made.result.verdict.accepted
    assert Bundle.load(Path(made.result.bundle)).schema.features == ()
    assert made.result.metrics["recommender"]["items"] == ITEMS
    assert made.result.metrics["recommender"]["users"] == USERS


def test_without_keys_of_users_and_items_nothing_can_be_learned(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="`label: positives` is for recommendations, which need the keys of `users`"):
        run(tmp_path, written(tmp_path, label="positives", users=None, categorical=["kind"]))


def test_a_champion_of_positives_is_not_compared(alone: Run, tmp_path: Path) -> None:
    made = run(tmp_path, written(tmp_path), "--champion", alone.result.bundle)
    champion: Any = made.result.metrics["champion"]
    assert champion["not_comparable"] == "it has no click model, as it was trained only on positives"
    assert "auc" not in champion


def test_a_champion_with_a_click_model_does_not_hinder_a_run_on_positives(
    spec: Path, labelled: Run, alone: Run, tmp_path: Path
) -> None:
    made = run(tmp_path, spec, "--champion", labelled.result.bundle)
    assert made.result.bundle_hash == alone.result.bundle_hash


def _of_one_kind(kind: str) -> list[tuple[str, str]]:
    """Users and items of 2,000 choices that are all of one kind."""
    pairs = {
        "one item": [(f"u{at % 100}", "best" if at % 10 else f"i{at % 70}") for at in range(2_000)],
        "one user": [("busy" if at % 10 else f"u{at % 50}", f"i{at % 97}") for at in range(2_000)],
        "users alike": [(f"u{at // 20}", f"i{at % 20}") for at in range(2_000)],
        "items once": [(f"u{at % 100}", f"i{at}") for at in range(2_000)],
    }
    return pairs[kind]


@pytest.mark.parametrize("kind", ["one item", "one user", "users alike", "items once"])
def test_choices_of_one_kind_are_judged(tmp_path: Path, kind: str) -> None:
    pairs = _of_one_kind(kind)
    table = pd.DataFrame(pairs, columns=["user_id", "item_id"]).assign(at=range(len(pairs)))
    table.to_csv(tmp_path / "choices.csv", index=False)
    (tmp_path / "spec.yaml").write_text(
        "interactions: choices.csv\nusers: {key: user_id}\nitems: {key: item_id}\nlabel: positives\ntimestamp: at\n"
    )
    made = run(tmp_path, tmp_path / "spec.yaml")
    assert made.result.counted["Choices"] == len(table)
    assert made.result.counted["Items"] == table["item_id"].nunique()
    reason = made.result.metrics["recommender"]["reason"]
    assert reason.startswith(("There is no recommender:", "NDCG@10 "))
