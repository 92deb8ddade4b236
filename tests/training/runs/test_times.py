"""Whole runs on tables whose clicks follow from times, on both engines, and the service that comes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pyspark.sql import SparkSession

from features.bundle import Bundle
from features.columns import Reading
from features.encoder import FOLDER
from features.values import TimeFormat
from tests.support.described_tables import write_tables
from tests.support.services import running_service
from tests.support.training_runs import Run, train, train_on
from training.engines.spark.engine import SparkEngine

ROWS, ITEMS, USERS = 4_000, 300, 50
FIRST = pd.Timestamp("2025-10-01")


@pytest.fixture(scope="module", autouse=True)
def _undrawn() -> None:
    """Here the plots are drawn: a test reads one."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In each of six months new items come; those younger than 30 days are clicked 80 times of 100, others 20.

    One item in twenty has no time, and its clicks are as those of an old one.
    """
    folder = tmp_path_factory.mktemp("news")
    random = np.random.default_rng(5)
    came = FIRST + pd.to_timedelta(random.integers(0, 180 * 24 * 60, ITEMS), "min")
    items = pd.DataFrame({"item_id": range(ITEMS), "released": came.strftime("%d/%m/%Y %H:%M")})
    items.loc[::20, "released"] = "?"
    users = pd.DataFrame({"user_id": range(USERS), "joined": random.integers(1_500_000_000, 1_750_000_000, USERS)})
    seen = FIRST + pd.to_timedelta(np.sort(random.integers(0, 180 * 24 * 3_600, ROWS)), "s")
    item = random.integers(0, ITEMS, ROWS)
    days = (seen - came[item]) / pd.Timedelta(days=1)
    young = (days > 0) & (days < 30) & (item % 20 != 0)
    clicks = pd.DataFrame(
        {"user_id": random.integers(0, USERS, ROWS), "item_id": item, "seen_at": seen.strftime("%F %T")}
    )
    clicks["clicked"] = (random.random(ROWS) < np.where(young, 0.8, 0.2)).astype(int)
    released = {"column": "released", "format": "day-first", "zone": "Europe/Lisbon", "missing": ["?"]}
    spec = {
        **write_tables(folder, interactions=clicks, users=users, items=items),
        "times": [released, "joined"],
        "timestamp": "seen_at",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec))
    return folder


def options(tables: Path) -> tuple[str, ...]:
    return "--dataset", "tables", "--spec", str(tables / "dataset.yaml"), "--split", "time"


@pytest.fixture(scope="module")
def run(tables: Path) -> Run:
    return train(tables / "local", *options(tables), processes=2)


@pytest.fixture(scope="module")
def bundle(run: Run) -> Bundle:
    return Bundle.load(Path(run.result.bundle))


def test_the_age_is_learned_and_holds_for_items_that_nobody_had_seen(run: Run) -> None:
    assert run.result.metrics["auc"] > 0.65  # knowing the rule itself gives 0.75 to 0.8, by how many are young
    gains = run.result.metrics["warnings"]
    assert gains == []


def test_the_schema_says_how_the_times_are_read(bundle: Bundle) -> None:
    assert bundle.schema.times == {
        "released": Reading(zone="Europe/Lisbon", format=TimeFormat.DAY_FIRST),
        "joined": Reading(),
    }


def test_the_report_names_the_columns_and_their_inputs(bundle: Bundle) -> None:
    page = (bundle.path / "report.html").read_text(encoding="utf-8")
    assert '<th scope="row">released</th><td>time</td>' in page
    assert "released_age_days" in page


def test_golden_records_carry_the_moment_and_are_served(bundle: Bundle, tmp_path: Path) -> None:
    assert all(str(golden.record["at"]).endswith("+00:00") for golden in bundle.click_model.golden)
    assert {golden.record["released"] is None for golden in bundle.click_model.golden} == {True, False}
    with running_service(bundle.path, tmp_path) as service:  # is ready once it has reproduced the golden records
        at = "2026-03-20 10:00:00"
        asked: list[dict[str, Any]] = [{"released": day, "at": at} for day in ("12/03/2026 10:00", "2025-11-12", None)]
        young, old, missing = service.client.post("/score", json={"records": asked}).json()["probabilities"]
        explained = service.client.post("/explain", json=asked[0]).json()["contributions"]
    assert young > 0.4  # without its age, 0.3
    assert max(old, missing) < young - 0.1
    assert explained[0]["feature"] == "released"


def test_the_baseline_sample_has_the_ages_of_times(bundle: Bundle) -> None:
    assert bundle.click_model.reference is not None
    assert set(bundle.click_model.reference.columns) == {"released", "joined"}


@pytest.mark.spark
@pytest.mark.full
def test_spark_gives_the_same_rows_to_the_bit(
    tables: Path, bundle: Bundle, spark: SparkSession, spark_log: Path, tmp_path: Path
) -> None:
    on_spark = train_on(SparkEngine(session=spark, log=spark_log), tmp_path, *options(tables))
    other = Bundle.load(Path(on_spark.result.bundle))
    assert [golden.record for golden in other.click_model.golden] == [
        golden.record for golden in bundle.click_model.golden
    ]
    assert other.click_model.reference is not None
    assert bundle.click_model.reference is not None
    assert other.click_model.reference.columns == bundle.click_model.reference.columns
    for file in (bundle.path / FOLDER).iterdir():
        assert file.read_bytes() == (other.path / FOLDER / file.name).read_bytes()
