"""Joins on Spark, for users and items that are too large to be sent to every task, and for events that make rows.

The kernels read each table before the join and hash the joined rows after it. Spark sees keys, and columns named by
number.
"""

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.pandas.types import from_arrow_schema

from features.columns import Number
from features.errors import PersonalizationError
from features.schema import Schema
from training.datasets.described.columns import KEYS, keys_by_column, missing_by_column, table_rules
from training.datasets.described.fields import TableRules
from training.datasets.described.files import TableFile, files_of
from training.datasets.described.opening import readable
from training.datasets.described.spec import TablesSpec
from training.datasets.progress import Reporter
from training.engines.reading.opened import Opened, hashed_blocks
from training.engines.reading.tables import check, explain, parts_of, read_part
from training.engines.spark.interruptible import interruptible
from training.engines.spark.rows import SparkRows
from training.engines.spark.source import FOUND, PROBLEM, found_in, row_of, rows_of, types_of
from training.engines.spark.store.blobs import PIECE, WRITING
from training.engines.spark.store.delivered import over_files
from training.engines.spark.store.paths import stored
from training.kernels.columns import LABEL, TIME
from training.kernels.hashed import Fields, hashed_fields
from training.kernels.tables import TypedTable

ROW_KEY = "_row_key"
"""The column that is the same in all events of one row."""
PLACE = "_place"
"""The column with each event's place in the order in which engine local reads them."""
SENT_BYTES = 500_000_000
"""Up to this many bytes, users and items together are held in every process."""
BYTES_OF_A_FIELD = 16
"""About what a field takes in memory: its text, and where it begins."""


def is_for_spark(spec: TablesSpec) -> bool:
    """Whether users and items are too large to be held in every process, or events must be brought together."""
    files = (file for table in spec.joined for file in files_of(spec.tables[table]))
    return bool(spec.one_row_per) or sum(map(_held_bytes, files)) > SENT_BYTES


def _held_bytes(file: TableFile) -> int:
    """About how much memory its rows take. Parquet's own size says little: it stores repeated values once."""
    if file.has_lines or file.delta is not None:
        return file.size
    with readable(file):
        metadata = parquet.read_metadata(file.path)
    fields: int = metadata.num_rows * metadata.num_columns
    return fields * BYTES_OF_A_FIELD


@dataclass(frozen=True, kw_only=True)
class JoinedSource:
    """The interactions whose user and item are in their tables; see `training.protocols.Source`.

    `log` is the session's log.
    """

    session: SparkSession
    spec: TablesSpec
    report: Reporter
    log: Path

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        return self.spec.joined_schema

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """See `training.protocols.Source`; Spark does not number equal rows."""
        return hashed_fields(self.schema, keys_by_column(self.spec), missing_by_column(self.spec))

    def prepare(self, folder: Path) -> tuple[SparkRows, Counter[str]]:
        """Check, join and hash the rows, and write them to `folder` unless they are there; see `protocols.Source`."""
        rules = table_rules(self.spec)
        files = [file.path for rule in rules.values() for file in rule.files if file.delta is None]
        opened = Opened(
            schema=self.schema, pieces=[], files=files, check=lambda found: check(found, self.spec, rules, self.report)
        )
        with opened.unchanged():
            tables = {
                name: stored(self._typed(name, rules), folder.with_name(f"{folder.name}-{name}")) for name in rules
            }
            found = sum((_found_in(table) for table in tables.values()), Counter[str]())
            self._require_single_keys(tables)
            blocks = stored(self._hashed(_joined(tables, self.spec)), folder, options=WRITING)
        rows, found_after = rows_of(blocks, schema=self.schema, log=self.log)
        found += found_after
        opened.check(found)
        return rows, found

    def _typed(self, table: str, rules: Mapping[str, TableRules]) -> DataFrame:
        """The used columns of a table, read by the kernels."""
        parts, types = parts_of(rules[table]), _types(self.spec, rules[table])
        read = partial(_read, spec=self.spec, table=table, parts=parts, rules=rules)
        return over_files(self.session, [{file.path for file in part.files} for part in parts], read, types)

    def _require_single_keys(self, tables: dict[str, DataFrame]) -> None:
        for table in self.spec.joined:
            key = KEYS[table]
            keys = tables[table].where(F.col(key).isNotNull())
            if _has_rows(keys.groupBy(key).count().where("count > 1")) or not _has_rows(keys):
                explain(self.spec, table_rules(self.spec))

    def _hashed(self, joined: DataFrame) -> DataFrame:
        types = types_of(self.schema)
        hash_rows = partial(_blocks, spec=self.spec)
        return joined.select(_needed(self.spec)).mapInArrow(hash_rows, from_arrow_schema(types))


def _has_rows(table: DataFrame) -> bool:
    return bool(interruptible(table.limit(1), DataFrame.collect))


def _found_in(table: DataFrame) -> Counter[str]:
    told = table.select(PIECE, FOUND, PROBLEM).where(F.coalesce(FOUND, PROBLEM).isNotNull())
    return found_in([row.asDict() for row in interruptible(told, DataFrame.collect)])


def _joined(tables: dict[str, DataFrame], spec: TablesSpec) -> DataFrame:
    plain = {name: table.drop(PIECE, FOUND, PROBLEM) for name, table in tables.items()}
    events = plain.pop("interactions")
    joined = _rows_of(events) if spec.one_row_per else events
    for name, table in plain.items():
        joined = joined.join(table, KEYS[name])
    return joined


def _rows_of(events: DataFrame) -> DataFrame:
    """The rows that events make; see `training.engines.reading.tables`."""
    first = F.struct(*(name for name in events.columns if name not in {ROW_KEY, PLACE, LABEL}))
    order = F.struct(*(name for name in (TIME, PLACE) if name in events.columns))
    rows = events.groupBy(ROW_KEY).agg(F.max(LABEL).alias(LABEL), F.min_by(first, order).alias("first"))
    return rows.select(LABEL, "first.*")


def _number(spec: TablesSpec, name: str) -> str:
    """A column's name on Spark, which would take some column names for paths."""
    return f"_{spec.joined_schema.features.index(name)}"


def _types(spec: TablesSpec, rules: TableRules) -> pa.Schema:
    return pa.schema(
        [
            (PIECE, pa.int64()),
            (FOUND, pa.binary()),
            (PROBLEM, pa.binary()),
            *((key, pa.string()) for key in rules.keys),
            *([(LABEL, pa.int8())] if rules.label else []),
            *([(TIME, pa.int64())] if rules.timestamp else []),
            *([(ROW_KEY, pa.int64()), (PLACE, pa.int64())] if rules.one_row_per else []),
            *(
                (_number(spec, one.name), pa.float64() if isinstance(one, Number) else pa.string())
                for one in rules.features
            ),
        ]
    )


def _needed(spec: TablesSpec) -> list[str]:
    """The columns of the joined rows that hashing needs."""
    time = [TIME] if spec.timestamp else []
    return [
        LABEL,
        *time,
        *keys_by_column(spec).values(),
        *(_number(spec, one.name) for one in spec.joined_schema.stored),
    ]


def _read(
    number: int, *, spec: TablesSpec, table: str, parts: Sequence[TableRules], rules: Mapping[str, TableRules]
) -> Iterator[pa.RecordBatch]:
    types = _types(spec, rules[table])
    place = number << 32
    try:
        for rows in read_part(spec, table, {**rules, table: parts[number]}):
            batch = _batch(rows, spec, types, place=place)
            place += len(batch)
            yield batch
    except PersonalizationError as error:
        yield pa.RecordBatch.from_pylist([{PIECE: number, PROBLEM: pickle.dumps(error)}], schema=types)


def _batch(table: TypedTable, spec: TablesSpec, types: pa.Schema, *, place: int) -> pa.RecordBatch:
    """The rows from this `place` on; the first one also carries what was counted while reading all of them."""
    columns: dict[str, object] = {**table.keys, LABEL: table.label, TIME: table.time, ROW_KEY: table.row_key}
    columns |= {_number(spec, name): values for name, values in table.features.items()}
    rows = len(next(iter(table.keys.values())) if table.label is None else table.label)
    found = Counter(table.uses) + (Counter(read=rows) if table.label is not None else Counter[str]())
    columns[PIECE] = np.zeros(rows, np.int64)
    columns[PLACE] = np.arange(place, place + rows)
    columns[FOUND] = [msgspec.json.encode(found), *[None] * (rows - 1)][:rows]
    columns[PROBLEM] = [None] * rows
    arrays = [pa.array(columns[field.name], field.type) for field in types]
    return pa.RecordBatch.from_arrays(arrays, schema=types)


def _blocks(batches: Iterable[pa.RecordBatch], *, spec: TablesSpec) -> Iterator[pa.RecordBatch]:
    schema = spec.joined_schema
    for block in hashed_blocks((_fields(batch, spec) for batch in batches), schema):
        yield pa.RecordBatch.from_pylist([{PIECE: 0, **row_of(block)}], schema=types_of(schema))


def _fields(batch: pa.RecordBatch, spec: TablesSpec) -> Fields:
    def column(name: str) -> pa.Array:
        return batch.column(name)

    schema = spec.joined_schema
    return Fields(
        label=column(LABEL).to_numpy(),
        numeric=[column(_number(spec, one.name)).to_numpy(zero_copy_only=False) for one in schema.numbers],
        categorical=[column(_number(spec, one.name)) for one in schema.texts],
        time=column(TIME).to_numpy() if spec.timestamp else None,
        keys={name: column(key) for name, key in keys_by_column(spec).items()},
    )
