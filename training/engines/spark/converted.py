"""Batches of Spark's rows, converted by functions of engine local in each task."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from training.engines.reading.tables import NOT_RIGHT
from training.engines.spark.scans import interruptible, mapped
from training.kernels.kernel import Kernel

FOUND, FAULT = "_found", "_fault"
"""What a task counted, as JSON, and why it could not convert some of its rows: in a row of its own, with nothing else.
"""
Convert = Callable[[pa.RecordBatch], tuple[pa.RecordBatch, Mapping[str, int]]]
"""Makes columns of others, and says what it counted."""


def converted(rows: DataFrame, convert: Convert, types: pa.Schema) -> DataFrame:
    """What `convert` makes of the rows: columns of these `types`, with `FOUND` and `FAULT`."""
    told = pa.schema([*types, (FOUND, pa.string()), (FAULT, pa.string())])
    run = partial(_run, convert=convert, types=told)
    return mapped(rows, Kernel(columns=tuple(rows.columns), schema=told, function=run))


def _run(batches: Iterable[pa.RecordBatch], *, convert: Convert, types: pa.Schema) -> Iterator[pa.RecordBatch]:
    found, faults = Counter[str](), list[str]()
    for batch in batches:
        try:
            columns, counted = convert(_untold(batch, found, faults))
        except NOT_RIGHT as error:
            faults.append(f"{type(error).__name__}: {error}")
            continue
        found.update(counted)
        nothing = pa.nulls(len(columns), pa.string())
        arrays = [nothing if name in {FOUND, FAULT} else columns.column(name) for name in types.names]
        yield pa.RecordBatch.from_arrays(arrays, schema=types)
    told = {FOUND: json.dumps(found), FAULT: next(iter(faults), None)}
    yield pa.RecordBatch.from_arrays([pa.array([told.get(one.name)], one.type) for one in types], schema=types)


def _untold(batch: pa.RecordBatch, found: Counter[str], faults: list[str]) -> pa.RecordBatch:
    """The rows alone; what earlier tasks told is added to the rest."""
    if FOUND not in batch.schema.names:
        return batch
    for text in batch.column(FOUND).drop_null().to_pylist():
        found.update(json.loads(text))
    faults += batch.column(FAULT).drop_null().to_pylist()
    return batch.filter(batch.column(FOUND).is_null())


def found_in(table: DataFrame) -> tuple[Counter[str], str | None]:
    """What was counted over all rows of a stored table, and one of its faults, if there is any."""
    told = interruptible(table.where(F.col(FOUND).isNotNull()).select(FOUND, FAULT), DataFrame.collect)
    counted = sum((Counter[str](json.loads(row[FOUND])) for row in told), Counter[str]())
    return counted, next((row[FAULT] for row in told if row[FAULT] is not None), None)


def rows_of(table: DataFrame) -> DataFrame:
    """The rows without what was told beside them."""
    return table.where(F.col(FOUND).isNull()).drop(FOUND, FAULT)
