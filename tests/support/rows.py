"""A dataset's rows as a training run gets them, without the run: typed, and checked by reading them all once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.schema import Schema
from training.datasets.progress import Reporter, silent
from training.parameters import Dataset

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Read = Callable[..., tuple[pd.DataFrame, Schema]]
"""Rows and schema of a dataset, from its copy in a folder if one is given: label, numbers with NaN and categories with
"" for missing, and the time in microseconds. Raises the `DatasetError` that fits."""


def read_locally(
    dataset: Dataset, folder: Path | None = None, report: Reporter = silent
) -> tuple[pd.DataFrame, Schema]:
    """By engine local."""
    from training.engines.local.engine import LocalEngine  # noqa: PLC0415 - takes a second

    source = LocalEngine(data_size=0, processes=1).open_source(dataset, folder, report)
    schema = source.schema
    frames, found = [], Counter[str]()
    for fields in (fields for piece in source.pieces for fields in piece.fields()):
        found.update(fields.counted, rows=len(fields), clicks=int(fields.label.sum()))
        columns: dict[str, Any] = {schema.label: fields.label}
        columns |= dict(zip(schema.numeric, fields.numeric, strict=True))
        columns |= {name: texts.to_pylist() for name, texts in zip(schema.categorical, fields.categorical, strict=True)}
        frames.append(pd.DataFrame(columns | ({} if schema.timestamp is None else {schema.timestamp: fields.time})))
    source.check(found)
    return pd.concat(frames, ignore_index=True), schema


def read_on_spark(
    spark: "SparkSession", dataset: Dataset, folder: Path | None = None, report: Reporter = silent
) -> tuple["DataFrame", Schema]:
    """By engine spark, as a table of Spark's."""
    from training.engines.spark.reading.source import PROBLEM  # noqa: PLC0415 - takes a second
    from training.engines.spark.reading.sources import open_source  # noqa: PLC0415

    source = open_source(spark, dataset, folder, report)
    with source.reading():
        source.require_right(source.frame, label=source.schema.label)
    return source.frame.drop(PROBLEM), source.schema


def from_spark(frame: "DataFrame", schema: Schema) -> pd.DataFrame:
    """A table of Spark's as `Read` promises it."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - the name that Spark's own documentation uses

    if schema.timestamp is not None:
        frame = frame.withColumn(schema.timestamp, F.unix_micros(schema.timestamp))
    table: pd.DataFrame = frame.toPandas()
    return table.astype(dict.fromkeys(schema.numeric, np.float64))
