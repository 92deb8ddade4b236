"""What the data looks like, for the report: missing shares and distinct values, from the training rows."""

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.hashing import hash_value
from features.schema import Schema
from training.metrics.slices import SlicedColumn, value_names
from training.preparation.encode import total
from training.preparation.prepare import Prepared
from training.preparation.split import Part
from training.report import ColumnSummary, SplitSummary

FREQUENT = 10
"""Values that are named of a column that holds several."""


def split_summaries(prepared: Prepared) -> list[SplitSummary]:
    """Rows and clicks of each part."""
    names = {Part.FIT: "training", Part.VALIDATION: "validation", Part.HELD_OUT: "held out"}
    return [
        SplitSummary(name=name, rows=prepared.counts[part], clicks=prepared.clicks[part])
        for part, name in names.items()
    ]


def column_summaries(prepared: Prepared, counted: DataFrame, schema: Schema) -> list[ColumnSummary]:
    """One summary per raw column; `counted` is the table of `training.preparation.encode.count`."""
    rows = prepared.training_rows
    missing_hash = hash_value("")
    is_missing = F.col("hash") == missing_hash
    table = {
        row["column"]: row
        for row in counted.groupBy("column")
        .agg(
            F.count_if(~is_missing).alias("distinct"),
            F.sum(F.when(is_missing, total(counted, "rows")).otherwise(0)).alias("missing"),
        )
        .collect()
    }
    numbers = [
        ColumnSummary(name=name, role="numeric", missing_share=missing / rows, distinct=None)
        for name, missing in zip(schema.numeric, prepared.missing, strict=True)
    ]
    categories = [
        ColumnSummary(
            name=name,
            role="categorical",
            missing_share=table[index]["missing"] / rows,
            distinct=table[index]["distinct"],
            separator=schema.several.get(index),
            frequent=_frequent(prepared, counted, schema, index) if index in schema.several else (),
        )
        for index, name in enumerate(schema.categorical)
    ]
    return numbers + categories


def _frequent(prepared: Prepared, counted: DataFrame, schema: Schema, index: int) -> list[tuple[str, int]]:
    """The most frequent values of a column, as the held-out rows write them, and the training rows of each."""
    own = counted.where((F.col("column") == index) & (F.col("hash") != hash_value("")))
    most = own.select("hash", total(counted, "rows").alias("rows")).orderBy(F.desc("rows"), "hash").limit(FREQUENT)
    hashes, rows = most.toPandas().to_numpy(np.int64).T
    names = value_names(prepared.part(Part.HELD_OUT), schema, [SlicedColumn(index=index, hashes=hashes)])
    return [(name, count) for name, count in zip(names, rows.tolist(), strict=True) if name]
