"""How a model does on users and items that it knew and on new ones."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from pyspark.sql import SparkSession
from sklearn.metrics import log_loss, roc_auc_score

from features.bundle import MODEL, Bundle
from features.encoder import RawRows
from tests.support.training_runs import Run, train, train_on
from training.engines.spark.engine import SparkEngine

ROWS = 3_000
USERS, NEW_USERS = 50, 20


def interactions() -> pd.DataFrame:
    """Users with tastes of their own; in the last tenth of the time a third of the rows are of users who are new."""
    chance = np.random.default_rng(5)
    late = (np.arange(ROWS) >= 0.9 * ROWS) & (chance.random(ROWS) < 1 / 3)
    user = np.where(late, USERS + chance.integers(0, NEW_USERS, ROWS), chance.integers(0, USERS, ROWS))
    taste = chance.normal(0, 1.5, USERS + NEW_USERS)
    clicked = chance.random(ROWS) < 1 / (1 + np.exp(1 - taste[user]))
    return pd.DataFrame(
        {
            "user_id": [f"u{number}" for number in user],
            "item_id": [f"i{number}" for number in chance.integers(0, 30, ROWS)],
            "clicked": clicked.astype(int),
            "seen": 1_769_853_600 + np.arange(ROWS),
        }
    )


def options(folder: Path, categorical: list[str]) -> tuple[str, ...]:
    """The options of a run on these interactions, split by time."""
    interactions().to_csv(folder / "seen.csv", index=False)
    content = {
        "interactions": "seen.csv",
        "users": {"key": "user_id"},
        "items": {"key": "item_id"},
        "label": {"column": "clicked"},
        "categorical": categorical,
        "timestamp": "seen",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    return "--dataset", "tables", "--spec", str(folder / "dataset.yaml"), "--split", "time"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("known")
    return train(folder / "run", *options(folder, ["user_id", "item_id"]))


def predicted(run: Run, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The bundle's probabilities of these rows."""
    bundle = Bundle.load(Path(run.result.bundle))
    records = rows[["user_id", "item_id"]].to_numpy().tolist()
    inputs = RawRows.of_records(bundle.schema, records).encode(bundle.click_model.encoder)
    return np.asarray(lightgbm.Booster(model_file=bundle.path / MODEL).predict(inputs))


def test_rows_auc_and_log_loss_of_known_and_new_users_are_those_of_the_rows(run: Run) -> None:
    rows = interactions()
    count = run.result.rows["held_out"]
    earlier, held_out = rows[:-count], rows[-count:]
    held_out = held_out.assign(probability=predicted(run, held_out), known=held_out["user_id"].isin(earlier["user_id"]))
    parts: list[dict[str, Any]] = [part for part in run.result.metrics["keys"] if part["column"] == "user_id"]
    assert [part["value"] for part in parts] == ["known", "new"]
    for part in parts:
        own = held_out[held_out["known"] == (part["value"] == "known")]
        assert (part["rows"], part["clicks"]) == (len(own), own["clicked"].sum())
        assert part["auc"] == pytest.approx(
            roc_auc_score(own["clicked"], own["probability"]), abs=0.01
        )  # the scores are binned
        assert part["log_loss"] == pytest.approx(log_loss(own["clicked"], own["probability"]), abs=1e-6)
    assert parts[0]["auc"] > 0.7
    assert parts[1]["auc"] < 0.65


def test_items_that_are_all_known_have_one_part(run: Run) -> None:
    (part,) = [part for part in run.result.metrics["keys"] if part["column"] == "item_id"]
    assert (part["value"], part["rows"]) == ("known", run.result.rows["held_out"])
    assert "<h2>Known and new users and items</h2>" in Path(run.result.report).read_text(encoding="utf-8")


def test_keys_that_are_no_features_are_not_known(tmp_path: Path) -> None:
    metrics = train(tmp_path / "run", *options(tmp_path, ["item_id"])).result.metrics
    assert {part["column"] for part in metrics["keys"]} == {"item_id"}


@pytest.mark.spark
@pytest.mark.full
def test_engine_spark_measures_the_same(run: Run, spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    other = train_on(
        SparkEngine(session=spark, log=spark_log), tmp_path / "run", *options(tmp_path, ["user_id", "item_id"])
    )
    counted = [
        [(part["column"], part["value"], part["rows"], part["clicks"]) for part in one.result.metrics["keys"]]
        for one in (run, other)
    ]
    assert counted[0] == counted[1]
