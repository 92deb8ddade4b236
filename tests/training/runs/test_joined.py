"""Rows that get columns of other tables, or of other rows of theirs: as good as tables that were joined before."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from pyspark.sql import SparkSession

from tests.support.exports import EXPORTS
from tests.support.training_runs import encoder_of, train, train_on
from training.datasets import describe, materialize
from training.errors import ColumnError, DatasetError, DuplicateKeyError, EmptyDatasetError, MissingFileError
from training.parameters import TablesDataset
from training.spark.engine import SparkEngine


def written(folder: Path, content: dict[str, Any]) -> TablesDataset:
    folder.mkdir(exist_ok=True)
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


def orders(folder: Path) -> dict[str, Any]:
    """Lines in two parts, their orders and whose these are, with a label; and the config of lines joined before."""
    EXPORTS["olist"](folder)
    lines, heads, people = (
        pd.read_csv(folder / f"olist_{name}_dataset.csv", dtype=str) for name in ("order_items", "orders", "customers")
    )
    lines["liked"] = (lines.index % 3 > 0).astype(int)
    lines.iloc[:700].to_csv(folder / "lines_1.csv", index=False)
    lines.iloc[700:].to_csv(folder / "lines_2.csv", index=False)
    heads[heads.order_id != heads.order_id[3]].to_csv(folder / "heads.tsv", index=False, sep="|")
    people.to_parquet(folder / "people.parquet")
    left = lines.merge(heads[heads.order_id != heads.order_id[3]], on="order_id").merge(people, on="customer_id")
    left.to_csv(folder / "joined.csv", index=False)
    return {
        "users": {"key": "customer_unique_id"},
        "items": {"path": "olist_products_dataset.csv", "key": "product_id"},
        "label": {"column": "liked"},
        "numeric": ["price", "product_weight_g"],
        "categorical": ["customer_city", "product_category_name"],
        "timestamp": "order_purchase_timestamp",
        "candidates_from": "all",
    }


JOINED: dict[str, Any] = {
    "path": ["lines_1.csv", "lines_2.csv"],
    "join": [
        {"path": "heads.tsv", "key": "order_id", "separator": "|"},
        {"path": "people.parquet", "key": "customer_id"},
    ],
    "basket": "order_id",
    "where": {"order_status": {"not": ["canceled"]}},
}


def test_joined_rows_train_the_same_model_as_rows_that_pandas_joined(tmp_path: Path) -> None:
    common = orders(tmp_path)
    materialize(written(tmp_path, {**common, "interactions": JOINED}), tmp_path / "copy")
    run = train(tmp_path / "run", "--dataset", "tables", "--spec", str(tmp_path / "copy" / "dataset.yaml"))
    before = {"path": "joined.csv", "basket": "order_id", "where": JOINED["where"]}
    written(tmp_path, {**common, "interactions": before})
    other = train(tmp_path / "other", "--dataset", "tables", "--spec", str(tmp_path / "dataset.yaml"))
    assert run.result.metrics == other.result.metrics
    assert run.result.rows == other.result.rows
    assert "2 of the interactions without a row in a joined table" in "\n".join(run.progress)


@pytest.mark.spark
def test_spark_joins_and_fills_the_same_rows(spark: SparkSession, spark_log: Path, tmp_path: Path) -> None:
    options = ("--dataset", "tables", "--spec", str(tmp_path / "dataset.yaml"), "--split", "time")
    written(tmp_path, {**orders(tmp_path), "interactions": {**JOINED, **broken(tmp_path)}})
    run = train_on(SparkEngine(session=spark, log=spark_log), tmp_path / "spark", *options)
    local = train(tmp_path / "local", *options)
    assert encoder_of(run) == encoder_of(local)
    assert run.result.rows == local.result.rows


def broken(folder: Path) -> dict[str, Any]:
    """Lines in one file whose order is named in its first row alone, each with a line break in a field."""
    lines = pd.concat([pd.read_csv(folder / f"lines_{part}.csv", dtype=str) for part in (1, 2)])
    lines["group"], lines["note"] = lines["order_id"], 'two\r\nlines, and a "quote"'
    lines.loc[lines["order_item_id"] == "2", "order_id"] = ""
    lines.to_csv(folder / "broken.csv", index=False)
    return {"path": "broken.csv", "line_breaks": True, "fill": {"by": "group", "columns": ["order_id"]}}


def test_filled_fields_and_line_breaks_are_the_rows_as_they_were(tmp_path: Path) -> None:
    common = orders(tmp_path)
    written(tmp_path, {**common, "interactions": {**JOINED, **broken(tmp_path)}})
    run = train(tmp_path / "run", "--dataset", "tables", "--spec", str(tmp_path / "dataset.yaml"))
    written(tmp_path, {**common, "interactions": JOINED})
    other = train(tmp_path / "other", "--dataset", "tables", "--spec", str(tmp_path / "dataset.yaml"))
    assert run.result.metrics == other.result.metrics


@pytest.mark.parametrize(
    ("heads", "change", "kind", "problem"),
    [
        (
            "o1,c1\no1,c2\no2,c2\n",
            {},
            DuplicateKeyError,
            "heads.csv has several rows with the order_id 'o1', one",
        ),
        ("", {}, EmptyDatasetError, "heads.csv has no row with order_id"),
        (
            "o1,c1\no2,c2\n",
            {"join": [{"path": "heads.csv", "key": "nr"}]},
            MissingFileError,
            "no column 'nr', by which",
        ),
        (
            "o1,c1\no2,c2\n",
            {"fill": {"by": "item", "columns": ["order_id"]}},
            ColumnError,
            "the rows with the item 'i1' have several values of order_id, 'o[12]' and 'o[12]', and `fill` needs one",
        ),
    ],
)
def test_what_cannot_be_joined_or_filled_is_refused(
    tmp_path: Path, heads: str, change: dict[str, Any], kind: type[DatasetError], problem: str
) -> None:
    (tmp_path / "lines.csv").write_text("order_id,item\n" + "o1,i1\no2,i1\no2,i2\n" * 3)
    (tmp_path / "heads.csv").write_text(f"order_id,customer\n{heads}")
    interactions = {"path": "lines.csv", "join": [{"path": "heads.csv", "key": "order_id"}], **change}
    keys = {"users": {"key": "customer"}, "items": {"key": "item"}}
    with pytest.raises(kind, match=problem):
        describe(written(tmp_path, {"interactions": interactions, "label": "positives", **keys}))
