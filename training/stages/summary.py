"""What the data looks like, for the report: missing shares and distinct values, from the training rows."""

from dataclasses import replace

from features.schema import Schema
from training.kernels.split import Part
from training.metrics.slices import SlicedColumn, value_names
from training.protocols import CountTable
from training.report import ColumnSummary, SplitSummary
from training.stages.prepared import Prepared

FREQUENT = 10
"""Values that are named of a column that holds several."""


def split_summaries(prepared: Prepared) -> list[SplitSummary]:
    """Rows and clicks of each part."""
    names = {Part.FIT: "training", Part.VALIDATION: "validation", Part.HELD_OUT: "held out"}
    return [
        SplitSummary(name=name, rows=prepared.counts[part], clicks=prepared.clicks[part])
        for part, name in names.items()
    ]


def column_summaries(prepared: Prepared, counted: CountTable, schema: Schema) -> list[ColumnSummary]:
    """One summary per column, of crosses too; `counted` are the values of the training rows."""
    rows = prepared.training_rows
    numbers = [
        ColumnSummary(name=column.name, role=column.role, missing_share=missing / rows, distinct=None)
        for column, missing in zip(schema.numbers, prepared.missing, strict=True)
    ]
    categories = [
        ColumnSummary(
            name=column.name,
            role=column.role,
            missing_share=counted.missing(column.index) / rows,
            distinct=counted.distinct(column.index),
        )
        for column in schema.encoded
    ]
    for column in schema.several:
        categories[column.index] = replace(
            categories[column.index],
            separator=column.separator,
            frequent=_frequent(prepared, counted, schema, column.index),
        )
    return numbers + categories


def _frequent(prepared: Prepared, counted: CountTable, schema: Schema, index: int) -> list[tuple[str, int]]:
    """The most frequent values of a column, as the held-out rows write them, and the training rows of each."""
    hashes, rows = counted.most_frequent(index, FREQUENT)
    names = value_names(prepared.part(Part.HELD_OUT), schema, [SlicedColumn(index=index, hashes=hashes)])
    return [(name, count) for name, count in zip(names, rows.tolist(), strict=True) if name]
