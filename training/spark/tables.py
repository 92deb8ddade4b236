"""The tables of a dataset config on Spark, which reads and joins them and numbers equal rows; fields are converted as
on engine local.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.window import Window

from features.columns import Number
from features.schema import Schema
from training.config import TablesSpec
from training.kernels.columns import LABEL, RECORD_HASH, TIME
from training.kernels.hashed import Fields, numbered, types_of
from training.kernels.kernel import Kernel
from training.spark.files import NUMBER, ROW, START, Reader, read
from training.spark.paths import stored
from training.spark.scans import interruptible, mapped
from training.tables.columns import KEYS, keys_by_column, table_rules
from training.tables.progress import Reporter
from training.tables.quick import READ, unknown
from training.tables.reading import NOT_RIGHT, check, explain, hashed_rows, of_read_users, unchanged
from training.tables.typed import REPEATED, ROW_KEY, TableRules, cleaned, typed

NAMED = "named"
"""In counts: lines that are the same as the first one of their file, which names the columns and is no row."""
PLACE = dict.fromkeys((NUMBER, START, ROW), pa.int64())
"""An event's place in its files."""
Converted = tuple[pa.RecordBatch, Mapping[str, int]]
"""Columns, and what was counted when they were made."""
Convert = Callable[[pa.RecordBatch], Converted]
"""Makes columns of others."""


def hashed(
    session: SparkSession, spec: TablesSpec, rules: Mapping[str, TableRules], folder: Path
) -> tuple[DataFrame, Counter[str]]:
    """The interactions whose user and item are in their tables, hashed, as `training.spark.tables` has them,
    and what was counted before; users, items and events are written beside `folder` first.
    """
    tables, found, hashing = dict[str, DataFrame](), Counter[str](), partial(_hashed, spec=spec)
    for name, own in rules.items():
        place, copies = (folder.with_name(f"{folder.name}-{kind}{name}") for kind in ("", "copy-of-"))
        if not spec.joined and not spec.one_row_per:  # the interactions alone, each of which is a row
            return _typed(session, own, spec.joined_schema, copies, hashing), found
        tables[name] = _typed(session, own, spec.joined_schema, copies)
        if name == "interactions" and not spec.one_row_per:
            continue  # what is told of them comes with their joined rows
        tables[name] = stored(tables[name], place)
        counts, fault = found_in(tables[name])
        tables[name] = rows_of(tables[name])
        if fault or not counts[READ]:
            explain(spec, rules, ValueError(fault))
        if own.whole_row:
            tables[name] = _latest(tables[name], own)
            counts[f"{REPEATED} {name}"] = counts[READ] - interruptible(tables[name], DataFrame.count)
        elif name in spec.joined:
            repeated = tables[name].groupBy(KEYS[name]).count().where("count > 1").limit(1)
            if interruptible(repeated, DataFrame.collect):
                explain(spec, rules)
        if name in spec.joined:
            del counts[READ]
        found += counts
    return converted(_joined(tables, spec), hashing, types_of(spec.joined_schema)), found


def _typed(
    session: SparkSession, rules: TableRules, schema: Schema, copies: Path, hashing: Convert | None = None
) -> DataFrame:
    """A table's rows with the columns of `_types`; by `hashing` they become hashed rows in the same pass."""
    types = types_of(schema) if hashing else _types(schema, rules)
    parts = [
        converted(rows, partial(_with_types, reader=reader, rules=rules, schema=schema, hashing=hashing), types)
        for rows, reader in read(session, rules, copies)
    ]
    return reduce(DataFrame.unionByName, parts)


def _latest(rows: DataFrame, rules: TableRules) -> DataFrame:
    """One row of each key: see `training.tables.typed.TypedTable.latest`."""
    key = KEYS[rules.table]
    features = [name for name in rows.columns if name not in {key, TIME, ROW_KEY}]
    if not features:
        return rows.select(key).distinct()
    order = F.struct(*([TIME] if rules.timestamp else []), ROW_KEY)
    return rows.groupBy(key).agg(F.max_by(F.struct(*features), order).alias("kept")).select(key, "kept.*")


def _joined(tables: Mapping[str, DataFrame], spec: TablesSpec) -> DataFrame:
    rows = tables["interactions"]
    if spec.one_row_per:
        rows = _first_events(rows, spec)
    for name in spec.joined:
        known = F.lit(True).alias(_known(name))  # noqa: FBT003 - a literal of Spark, not a flag
        rows = rows.join(tables[name].select("*", known), KEYS[name], "left")
    return rows


def _first_events(events: DataFrame, spec: TablesSpec) -> DataFrame:
    """The rows that events make: see `training.tables.reading`."""
    first = F.struct(*(name for name in events.columns if name not in {ROW_KEY, LABEL, *PLACE}))
    order = F.struct(*([TIME] if spec.timestamp else []), *PLACE)
    rows = events.groupBy(ROW_KEY).agg(F.max(LABEL).alias(LABEL), F.min_by(first, order).alias("first"))
    return rows.select(LABEL, "first.*")


def _known(table: str) -> str:
    """The column that is null where an interaction has no row in a table."""
    return f"_in_{table}"


def _feature(schema: Schema, name: str) -> str:
    """The column of a feature in typed rows. Spark would take some names for paths."""
    return f"_{schema.features.index(name)}"


def _types(schema: Schema, rules: TableRules) -> pa.Schema:
    """The columns of a table's typed rows."""
    kinds = dict.fromkeys(rules.keys, pa.string())
    for one in rules.features:
        kinds[_feature(schema, one.name)] = pa.float64() if isinstance(one, Number) else pa.string()
    if rules.label:
        kinds[LABEL] = pa.int8()
    if rules.timestamp:
        kinds[TIME] = pa.int64()
    if rules.one_row_per or rules.whole_row:
        kinds[ROW_KEY] = pa.int64()
    if rules.one_row_per:
        kinds |= PLACE
    return pa.schema(list(kinds.items()))


def _with_types(
    batch: pa.RecordBatch, *, reader: Reader, rules: TableRules, schema: Schema, hashing: Convert | None
) -> Converted:
    """A table's rows with the columns of `_types`, or hashed."""
    read, named = reader.columns(batch)
    columns = of_read_users(read, rules)
    table = typed(columns, rules)
    kept = cleaned(columns, rules)[0] if rules.one_row_per else {}
    columns_of = {
        **table.columns,
        **{_feature(schema, name): values for name, values in table.features.items()},
        **{name: kept[name] for name in PLACE if name in kept},
    }
    types = _types(schema, rules)
    rows = pa.RecordBatch.from_arrays([columns_of[one.name] for one in types], schema=types)
    found = {READ: table.rows, NAMED: named, **table.uses}
    if hashing is None:
        return rows, found
    hashed, more = hashing(rows)
    return hashed, {**found, **more}


def _hashed(batch: pa.RecordBatch, *, spec: TablesSpec) -> Converted:
    """Joined rows, hashed, without those that lack a user or an item."""
    known = {name: batch.column(_known(name)).is_valid().to_numpy(zero_copy_only=False) for name in spec.joined}
    every = np.logical_and.reduce([np.ones(len(batch), np.bool_), *known.values()])
    rows, schema = batch.filter(pa.array(every)), spec.joined_schema
    fields = Fields(
        label=rows.column(LABEL).to_numpy(),
        numeric=[rows.column(_feature(schema, one.name)).to_numpy() for one in schema.numbers],
        categorical=[rows.column(_feature(schema, one.name)) for one in schema.texts],
        time=rows.column(TIME).to_numpy() if spec.timestamp else None,
        keys={column: rows.column(key) for column, key in keys_by_column(spec).items()},
        counted=Counter({unknown(name): int((~own).sum()) for name, own in known.items()}),
    )
    return hashed_rows(fields, schema)


WRITING = {"maxRecordsPerFile": "50000"}
"""Even rows of one compressed file, which one task reads, are spread over all cores from here on."""
UNREADABLE = (
    *("EOFException", "ZipException", "IncorrectHeader", "not a gzip file"),
    *("ParquetDecodingException", "not a Parquet file"),
)
"""What Java says of damaged files."""
AMONG_EQUAL = "_number"


def prepare(session: SparkSession, spec: TablesSpec, folder: Path, report: Reporter) -> tuple[DataFrame, Counter[str]]:
    """See `training.protocols.TrainingEngine`."""
    rules = table_rules(spec)
    with unchanged(rules):
        try:
            rows, before = hashed(session, spec, rules, folder)
            frame = stored(rows, folder, options=WRITING)
        except Py4JJavaError as error:
            if any(sign in str(error) for sign in UNREADABLE):
                explain(spec, rules, error)
            raise
        found, fault = found_in(frame)
        found += before
        naming = [file for rule in rules.values() for file in rule.files if file.is_text and not file.text.columns]
        if fault or found[NAMED] != len(naming):
            explain(spec, rules, ValueError(fault or "a line is the same as the first, which names the columns"))
    check(found, spec, rules, report)
    return _numbered(rows_of(frame), spec.joined_schema, folder), found


def _numbered(rows: DataFrame, schema: Schema, folder: Path) -> DataFrame:
    """The rows, again written where some of them are equal. Those few are sorted, and not all."""
    place, again = (folder.with_name(f"{folder.name}-{kind}") for kind in ("repeated", "numbered"))
    repeated = stored(rows.groupBy(RECORD_HASH).count().where("count > 1").select(RECORD_HASH), place)
    if not interruptible(repeated.limit(1), DataFrame.collect):
        return rows
    others, equal = (rows.join(repeated, RECORD_HASH, how) for how in ("left_anti", "left_semi"))
    number = F.row_number().over(Window.partitionBy(RECORD_HASH, LABEL).orderBy(RECORD_HASH)) - 1
    types = types_of(schema)
    kernel = Kernel(columns=(*types.names, AMONG_EQUAL), schema=types, function=_with_number)
    differing = mapped(equal.withColumn(AMONG_EQUAL, number.cast("bigint")), kernel)
    return stored(others.unionByName(differing), again, options=WRITING)


def _with_number(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        hashes = numbered(*(batch.column(name).to_numpy() for name in (RECORD_HASH, AMONG_EQUAL)))
        names = batch.schema.names[:-1]
        yield pa.RecordBatch.from_arrays(
            [pa.array(hashes) if name == RECORD_HASH else batch.column(name) for name in names], names=names
        )


FOUND, FAULT = "_found", "_fault"
"""What a task counted, as JSON, and why it could not convert some of its rows: in a row of its own, with nothing else.
"""


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
