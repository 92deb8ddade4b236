"""Logs of events: what is trained on, on each engine."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from pyarrow import parquet
from pyspark.sql import SparkSession

from features.bundle import COUNTS
from tests.support.training_runs import Run, train, train_on
from tools.paths import ROOT
from training.datasets.errors import ColumnError
from training.datasets.progress import silent
from training.engines.spark import join
from training.engines.spark.engine import SparkEngine
from training.parameters import TablesDataset, TrainingParameters

EXAMPLE = ROOT / "examples/tables"
BOUGHT = {"column": "event", "positive": ["purchase"], "negative": ["view", "cart"]}


def written(folder: Path, **changes: object) -> Path:
    """The example as events: ratings from 4 on are purchases, those of 3 carts; with these changes of its config."""
    table = pd.read_csv(EXAMPLE / "interactions.csv")
    table["event"] = [_event(rating) for rating in table["rating"]]
    table.to_csv(folder / "events.csv", index=False)
    content: dict[str, Any] = yaml.safe_load((EXAMPLE / "dataset.yaml").read_text())
    content |= {"interactions": "events.csv", "label": BOUGHT}
    for name in ("users", "items"):
        content[name]["path"] = str(EXAMPLE / content[name]["path"])
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content | changes))
    return folder / "dataset.yaml"


def _event(rating: float) -> str:
    if rating >= 4:
        return "purchase"
    return "cart" if rating == 3 else "view"


def options(spec: Path) -> tuple[str, ...]:
    """The options of a run on this config."""
    return "--dataset", "tables", "--spec", str(spec), "--split", "time"


def bytes_of(run: Run, name: str) -> bytes:
    """A file of the run's bundle."""
    return (Path(run.result.bundle) / name).read_bytes()


@pytest.mark.spark
def test_events_in_lists_train_the_model_of_the_labels_that_they_mean(
    spark: SparkSession, spark_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = written(tmp_path)
    events = train(tmp_path / "events", *options(spec))
    labels = train(tmp_path / "labels", *options(EXAMPLE / "dataset.yaml"))
    assert bytes_of(events, "model.txt") == bytes_of(labels, "model.txt")
    monkeypatch.setattr(join, "SENT_BYTES", 0)
    joined = train_on(SparkEngine(session=spark, log=spark_log), tmp_path / "joined", *options(spec))
    one, other = (Path(run.result.bundle) / COUNTS / "all.parquet" for run in (joined, events))
    assert parquet.read_table(one).equals(parquet.read_table(other))


@pytest.mark.spark
def test_spark_notices_an_event_that_never_occurs(
    spark: SparkSession, spark_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "SENT_BYTES", 0)
    spec = written(tmp_path, label=BOUGHT | {"negative": ["view", "cart", "return"]})
    engine = SparkEngine(session=spark, log=spark_log)
    source = engine.open_source(TablesDataset(kind="tables", spec=spec), None, silent)
    with pytest.raises(ColumnError, match="the negative event 'return' is in no row's event"):
        source.prepare(TrainingParameters(), tmp_path / "rows")
