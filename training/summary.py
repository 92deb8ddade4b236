"""What the data looks like, for the report: missing shares and distinct values, from the training rows."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.hashing import hash_value
from features.schema import Schema
from training.encode import total
from training.prepare import Prepared
from training.report import ColumnSummary, SplitSummary
from training.split import Part


def split_summaries(prepared: Prepared) -> list[SplitSummary]:
    """Rows and clicks of each part."""
    names = {Part.FIT: "training", Part.VALIDATION: "validation", Part.HELD_OUT: "held out"}
    return [
        SplitSummary(name=name, rows=prepared.counts[part], clicks=prepared.clicks[part])
        for part, name in names.items()
    ]


def column_summaries(prepared: Prepared, counted: DataFrame, schema: Schema) -> list[ColumnSummary]:
    """One summary per raw column; `counted` is the table of `training.encode.count`."""
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
        )
        for index, name in enumerate(schema.categorical)
    ]
    return numbers + categories
