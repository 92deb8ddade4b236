"""Summaries of the training data for the report: missing shares and distinct values."""

from dataclasses import replace

from features.schema import Schema
from training.kernels.split import Part
from training.metrics.slices import SlicedColumn, value_names
from training.protocols import CountTable
from training.report import ColumnSummary, SplitSummary
from training.stages.prepared import Prepared

FREQUENT = 10
"""How many values are listed of a column with several values per field."""


def split_summaries(prepared: Prepared) -> list[SplitSummary]:
    """Rows and clicks of each part."""
    names = {Part.FIT: "training", Part.VALIDATION: "validation", Part.HELD_OUT: "held out"}
    return [
        SplitSummary(name=name, rows=prepared.counts[part], clicks=prepared.clicks[part])
        for part, name in names.items()
    ]


def column_summaries(prepared: Prepared, counted: CountTable, schema: Schema) -> list[ColumnSummary]:
    """One summary per column, including crosses; `counted` has the training rows' values."""
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
    """The most frequent values of a column, as written in the held-out rows, and the training rows of each."""
    hashes, rows = counted.most_frequent(index, FREQUENT)
    names = value_names(prepared.part(Part.HELD_OUT), schema, [SlicedColumn(index=index, hashes=hashes)])
    return [(name, count) for name, count in zip(names, rows.tolist(), strict=True) if name]
