"""The tables of a dataset config on Spark, which reads and joins them; fields are converted as on engine local."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.columns import Number
from features.schema import Schema
from training.datasets.described.columns import KEYS, keys_by_column, missing_by_column, table_rules
from training.datasets.described.fields import TableRules
from training.datasets.described.quick import READ, unknown
from training.datasets.described.spec import TablesSpec
from training.datasets.described.typed import typed
from training.datasets.progress import Reporter
from training.engines.reading.opened import hashed_rows
from training.engines.reading.tables import check, explain, without_forgotten
from training.engines.spark.converted import converted, found_in, rows_of
from training.engines.spark.files import NUMBER, ROW, START, Reader, read
from training.engines.spark.interruptible import interruptible
from training.engines.spark.paths import stored
from training.kernels.columns import LABEL, TIME
from training.kernels.hashed import Fields, hashed_fields, types_of

ROW_KEY = "_row_key"
"""What is equal in the events of a row."""
PLACE = dict.fromkeys((NUMBER, START, ROW), pa.int64())
"""An event's place in its files."""


@dataclass(frozen=True, kw_only=True)
class SparkTables:
    """The interactions whose user and item are in their tables; see `training.engines.spark.source.Unhashed`."""

    session: SparkSession
    spec: TablesSpec
    report: Reporter

    @property
    def schema(self) -> Schema:
        """The columns of the joined rows."""
        return self.spec.joined_schema

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """See `training.protocols.Source`."""
        return hashed_fields(self.schema, keys_by_column(self.spec), missing_by_column(self.spec))

    @property
    def files(self) -> list[Path]:
        """The files that are read; a version of a Delta table does not change."""
        rules = table_rules(self.spec).values()
        return [file.path for rule in rules for file in rule.files if file.delta is None]

    def hashed(self, folder: Path) -> tuple[DataFrame, Counter[str]]:
        """The joined rows, hashed, and what was counted; users, items and events are written beside `folder` first."""
        tables, found = dict[str, DataFrame](), Counter[str]()
        for name, rules in table_rules(self.spec).items():
            place, copies = (folder.with_name(f"{folder.name}-{kind}{name}") for kind in ("", "copy-of-"))
            tables[name] = self._typed(rules, copies)
            if name == "interactions" and not self.spec.one_row_per:
                continue  # what is told of them comes with their joined rows
            tables[name] = stored(tables[name], place)
            counts, fault = found_in(tables[name])
            tables[name] = rows_of(tables[name])
            if fault or not counts[READ]:
                self.explain(fault)
            if name in self.spec.joined:
                repeated = tables[name].groupBy(KEYS[name]).count().where("count > 1").limit(1)
                if interruptible(repeated, DataFrame.collect):
                    self.explain(None)
                del counts[READ]
            found += counts
        joined = self._joined(tables)
        return converted(joined, _Hashing(spec=self.spec), types_of(self.schema)), found

    def check(self, found: Counter[str]) -> None:
        """Raise a `DatasetError` if the counts are wrong, else report how many interactions are left."""
        check(found, self.spec, table_rules(self.spec), self.report)

    def explain(self, cause: object) -> NoReturn:
        """Raise the `DatasetError` that names what is wrong with the tables."""
        explain(self.spec, table_rules(self.spec), None if cause is None else ValueError(cause))

    def _typed(self, rules: TableRules, copies: Path) -> DataFrame:
        """A table's rows with the columns of `_types`."""
        types = _types(self.schema, rules)
        parts = [
            converted(rows, _Typing(reader=reader, rules=rules, schema=self.schema), types)
            for rows, reader in read(self.session, rules, copies)
        ]
        return reduce(DataFrame.unionByName, parts)

    def _joined(self, tables: Mapping[str, DataFrame]) -> DataFrame:
        rows = tables["interactions"]
        if self.spec.one_row_per:
            rows = _first_events(rows, self.spec)
        for name in self.spec.joined:
            known = F.lit(True).alias(_known(name))  # noqa: FBT003 - a literal of Spark, not a flag
            rows = rows.join(tables[name].select("*", known), KEYS[name], "left")
        return rows


def _first_events(events: DataFrame, spec: TablesSpec) -> DataFrame:
    """The rows that events make: see `training.engines.reading.tables`."""
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
    if rules.one_row_per:
        kinds |= {ROW_KEY: pa.int64(), **PLACE}
    return pa.schema(list(kinds.items()))


@dataclass(frozen=True, kw_only=True)
class _Typing:
    """Converts a table's rows."""

    reader: Reader
    rules: TableRules
    schema: Schema

    def __call__(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Mapping[str, int]]:
        columns = without_forgotten(self.reader.columns(batch), self.rules)
        table = typed(columns, self.rules)
        found = {
            **table.keys,
            **{_feature(self.schema, name): values for name, values in table.features.items()},
            LABEL: table.label,
            TIME: table.time,
            ROW_KEY: table.row_key,
            **{name: columns[name] for name in PLACE if name in columns},
        }
        types = _types(self.schema, self.rules)
        arrays = [pa.array(found[one.name], one.type) for one in types]
        return pa.RecordBatch.from_arrays(arrays, schema=types), {READ: table.rows, **table.uses}


@dataclass(frozen=True, kw_only=True)
class _Hashing:
    """Hashes joined rows, without those that lack a user or an item."""

    spec: TablesSpec

    def __call__(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Mapping[str, int]]:
        known = {
            name: batch.column(_known(name)).is_valid().to_numpy(zero_copy_only=False) for name in self.spec.joined
        }
        every = np.logical_and.reduce([np.ones(len(batch), np.bool_), *known.values()])
        rows, schema = batch.filter(pa.array(every)), self.spec.joined_schema
        fields = Fields(
            label=rows.column(LABEL).to_numpy(),
            numeric=[rows.column(_feature(schema, one.name)).to_numpy() for one in schema.numbers],
            categorical=[rows.column(_feature(schema, one.name)) for one in schema.texts],
            time=rows.column(TIME).to_numpy() if self.spec.timestamp else None,
            keys={column: rows.column(key) for column, key in keys_by_column(self.spec).items()},
            counted=Counter({unknown(name): int((~own).sum()) for name, own in known.items()}),
        )
        return hashed_rows(fields, schema)
