"""A whole run on tables where only pairs of columns predict clicks, and the resulting service."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from features.bundle import Bundle
from features.encoder import Encoder
from steps.folders import StackFolder
from steps.model_versions import write_example
from tests.support.described_tables import write_tables
from tests.support.services import running_service
from tests.support.training_runs import Run, train

ROWS, USERS = 6_000, 32
GENRES = ("Action", "Comedy", "Drama", "Noir")
CROSS = "user_id x genres"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each user likes one genre, and each genre is liked by as many users: of films of it 90 of 100 are clicked, of the
    others 10. Neither user nor genre predicts anything alone."""
    folder = tmp_path_factory.mktemp("films")
    random = np.random.default_rng(5)
    pairs = [f"{one}|{other}" for one in GENRES for other in GENRES if one < other]
    items = pd.DataFrame({"item_id": range(300), "minutes": range(300), "genres": (pairs * 50)[:300]})
    users = pd.DataFrame({"user_id": range(USERS)})
    clicks = pd.DataFrame({"user_id": random.integers(0, USERS, ROWS), "item_id": random.integers(0, 300, ROWS)})
    liked = [
        GENRES[user % len(GENRES)] in items["genres"][item].split("|")
        for user, item in zip(clicks["user_id"], clicks["item_id"], strict=True)
    ]
    clicks["clicked"] = (random.random(ROWS) < np.where(liked, 0.9, 0.1)).astype(int)
    spec = {
        **write_tables(folder, interactions=clicks, users=users, items=items),
        "numeric": ["minutes"],
        "categorical": ["user_id", {"column": "genres", "separator": "|"}],
    }
    (folder / "plain.yaml").write_text(yaml.safe_dump(spec))
    (folder / "crossed.yaml").write_text(yaml.safe_dump(spec | {"crosses": [["user_id", "genres"]]}))
    return folder


@pytest.fixture(scope="module")
def plain(tables: Path) -> Run:
    """A run without the cross."""
    return train(tables / "plain", "--dataset", "tables", "--spec", str(tables / "plain.yaml"))


@pytest.fixture(scope="module")
def crossed(tables: Path, plain: Run) -> Run:
    """A run with the cross, compared with the model without it."""
    options = ("--dataset", "tables", "--spec", str(tables / "crossed.yaml"), "--champion", plain.result.bundle)
    return train(tables / "crossed", *options)


def test_what_a_user_likes_is_learned_from_pairs(plain: Run, crossed: Run) -> None:
    assert plain.result.metrics["auc"] < 0.7
    assert crossed.result.metrics["auc"] > 0.8  # knowing the rule itself gives 0.9


def test_a_cross_leaves_every_row_in_its_part_and_the_champion_comparable(plain: Run, crossed: Run) -> None:
    assert crossed.result.rows == plain.result.rows
    champion = crossed.result.metrics["champion"]
    assert champion["not_comparable"] is None
    assert champion["auc"] == plain.result.metrics["auc"]


def test_only_a_bundle_with_crosses_speaks_of_them(plain: Run, crossed: Run) -> None:
    without, bundle = (Path(run.result.bundle) for run in (plain, crossed))
    assert b"crosses" not in (without / "schema.json").read_bytes()
    assert Bundle.load(bundle).schema.crosses == (("user_id", "genres"),)
    assert Encoder.load(bundle).columns == ("user_id", "genres", CROSS)


def test_golden_records_name_no_user(crossed: Run, tmp_path: Path) -> None:
    bundle = Bundle.load(Path(crossed.result.bundle))
    assert {name for one in bundle.click_model.golden for name in one.record} == {"minutes", "genres"}
    folder = StackFolder(tmp_path)
    write_example(folder, bundle.path)
    assert set(json.loads(folder.example.read_text())) == {"minutes", "genres"}


def test_the_service_makes_the_pairs_by_itself(crossed: Run, tmp_path: Path) -> None:
    bundle = Bundle.load(Path(crossed.result.bundle))
    user = {"minutes": 90, "user_id": "3"}  # likes films noirs
    with running_service(bundle.path, tmp_path) as service:  # is ready once it has reproduced the golden records
        items = [{"genres": "Action|Comedy"}, {"genres": "Noir|Action"}, {"genres": "Drama"}]
        ranked = service.client.post("/rank", json={"user": user, "items": items}).json()["items"]
        golden = [dict(one.record) for one in bundle.click_model.golden]
        scored = service.client.post("/score", json={"records": golden}).json()["probabilities"]
        explained = service.client.post("/explain", json=user | items[1]).json()["contributions"]
        refused = service.client.post("/score", json={CROSS: "3 x Noir"})
    assert ranked[0]["index"] == 1
    assert ranked[0]["probability"] > 0.7
    assert ranked[1]["probability"] < 0.3
    assert scored == pytest.approx([one.probability for one in bundle.click_model.golden], abs=1e-12)
    assert explained[0]["feature"] == CROSS
    assert refused.status_code == 400
    assert refused.json()["error"]["field"] == CROSS
