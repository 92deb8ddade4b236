"""A whole run on every kind of column: what is learned, what the bundle and the report say, and the service."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.bundle import Bundle
from features.columns import Reading
from features.values import TimeFormat
from steps.folders import StackFolder
from steps.model_version import write_example
from tests.support.kinds_of_columns import CATEGORICAL, CROSS, NUMERIC, ROWS, USERS, write_config, write_kinds
from tests.support.services import running_service
from tests.support.training_runs import Run, train
from training import datasets
from training.parameters import TablesDataset

CROSSED = " x ".join(CROSS)
RECORD = {*NUMERIC, *CATEGORICAL, "released", "joined", "at"}


@pytest.fixture(scope="module", autouse=True)
def _undrawn() -> None:
    """Here the plots are drawn: a test reads one."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kinds(tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def plain(config: Path) -> Run:
    """A run without the users' keys and their cross."""
    categorical = [one for one in CATEGORICAL if one not in CROSS]
    spec = write_config(config.parent, "plain", categorical=categorical, crosses=[])
    return train(config.parent / "plain", "--dataset", "tables", "--spec", str(spec), "--split", "time")


@pytest.fixture(scope="module")
def run(config: Path, plain: Run) -> Run:
    """A run with all of them from the dataset's copy, compared with the other model."""
    lake = config.parent / "lake"
    datasets.materialize(TablesDataset(kind="tables", spec=config), lake)
    options = ("--dataset", "tables", "--spec", str(config), "--data", str(lake), "--split", "time")
    return train(config.parent / "all", *options, "--champion", plain.result.bundle, processes=2)


@pytest.fixture(scope="module")
def bundle(run: Run) -> Bundle:
    return Bundle.load(Path(run.result.bundle))


def test_what_a_user_likes_is_learned_from_pairs_and_ages(plain: Run, run: Run) -> None:
    assert run.result.metrics["auc"] > plain.result.metrics["auc"] + 0.1
    assert run.result.metrics["auc"] > 0.75
    assert run.result.metrics["warnings"] == []


def test_a_split_by_time_holds_out_the_last_fifth_whatever_the_columns(plain: Run, run: Run) -> None:
    assert run.result.rows["held_out"] == ROWS // 5
    assert run.result.rows == plain.result.rows
    champion = run.result.metrics["champion"]
    assert champion["not_comparable"] is None
    assert champion["auc"] == plain.result.metrics["auc"]


def test_the_schema_says_what_columns_are_and_how_they_are_read(bundle: Bundle, plain: Run) -> None:
    schema = bundle.schema
    assert (schema.numeric, schema.categorical, schema.timestamp) == (NUMERIC, CATEGORICAL, "seen.at")
    assert (schema.separators, schema.crosses) == ({"genres": "|"}, (CROSS,))
    assert schema.times == {
        "released": Reading(zone="Europe/Lisbon", format=TimeFormat.DAY_FIRST),
        "joined": Reading(),
    }
    assert bundle.click_model.encoder.columns == (*CATEGORICAL, CROSSED)
    assert b"crosses" not in (Path(plain.result.bundle) / "schema.json").read_bytes()


def test_the_report_calls_the_columns_and_their_inputs_by_their_own_names(bundle: Bundle) -> None:
    page = (bundle.path / "report.html").read_text(encoding="utf-8")
    for name in ("length.min", "größe", "a`b", "x[0]{y}:z", "wohn ort"):
        assert f'<th scope="row">{name}</th>' in page
    assert '<th scope="row">released</th><td>time</td>' in page
    assert "released_age_days" in page
    assert "<h2>Known and new users and items</h2>" in page


def test_golden_records_carry_the_moment_and_name_no_user(bundle: Bundle, tmp_path: Path) -> None:
    golden = bundle.click_model.golden
    assert {name for one in golden for name in one.record} == RECORD - {"user.id"}
    assert all(str(one.record["at"]).endswith("+00:00") for one in golden)
    assert {one.record["released"] is None for one in golden} == {True, False}
    folder = StackFolder(tmp_path)
    write_example(folder, bundle.path)
    assert set(json.loads(folder.example.read_text())) == RECORD - {"user.id"}


def test_the_baseline_sample_has_every_column(bundle: Bundle) -> None:
    assert set(bundle.click_model.reference.columns) == {*NUMERIC, *CATEGORICAL, "released", "joined", CROSSED}


def test_known_and_new_users_are_told_apart(config: Path, plain: Run, run: Run) -> None:
    held_out = pd.read_csv(config.parent / "interactions.csv")[-run.result.rows["held_out"] :]
    is_new = held_out["user.id"].str[1:].astype(int) >= USERS
    known, new = (part for part in run.result.metrics["keys"] if part["column"] == "user.id")
    assert (known["value"], new["value"]) == ("known", "new")
    assert (known["rows"], new["rows"]) == ((~is_new).sum(), is_new.sum())
    assert (known["clicks"], new["clicks"]) == (held_out["clicked"][~is_new].sum(), held_out["clicked"][is_new].sum())
    assert known["auc"] > new["auc"]
    assert {part["column"] for part in plain.result.metrics["keys"]} == {"item.id"}, "users' keys are no features of it"


def test_the_service_makes_pairs_and_ages_by_itself(bundle: Bundle, tmp_path: Path) -> None:
    user: dict[str, Any] = {"user.id": "u3", "at": "2026-03-20 10:00:00"}  # likes films noirs
    young, old = {"released": "12/03/2026 10:00"}, {"released": "2025-11-12"}
    with running_service(bundle.path, tmp_path) as service:  # is ready once it has reproduced the golden records
        items: list[dict[str, Any]] = [{"genres": "Action|Comedy"}, {"genres": "Noir|Action"}, {"genres": "Drama"}]
        ranked = service.client.post("/rank", json={"user": user, "items": items}).json()["items"]
        asked = [user | items[1] | one for one in (young, old, {"released": None})]
        scored = service.client.post("/score", json={"records": asked}).json()["probabilities"]
        golden = [dict(one.record) for one in bundle.click_model.golden]
        again = service.client.post("/score", json={"records": golden}).json()["probabilities"]
        explained = service.client.post("/explain", json=asked[0]).json()["contributions"]
        refused = service.client.post("/score", json={CROSSED: "u3 x Noir"})
    assert ranked[0]["index"] == 1
    assert max(scored[1:]) < scored[0] - 0.05, scored
    assert again == pytest.approx([one.probability for one in bundle.click_model.golden], abs=1e-12)
    assert {one["feature"] for one in explained[:2]} == {CROSSED, "released"}
    assert refused.status_code == 400
    assert refused.json()["error"]["field"] == CROSSED
