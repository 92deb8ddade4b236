"""The tables of a dataset config on Spark: read, typed, checked by one aggregate each, and joined."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import NoReturn

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.types import NumericType

from features.columns import FIRST, LAST, Category, Field, Time
from features.schema import Schema
from recommend.forgotten import Forgotten
from training.datasets.described.columns import KEYS, keys_by_column, missing_by_column, table_rules
from training.datasets.described.fields import TableRules
from training.datasets.described.opening import open_text, readable
from training.datasets.described.quick import READ, spoken_of, unknown
from training.datasets.described.spec import TablesSpec
from training.datasets.progress import Reporter
from training.engines.reading.tables import check, explain
from training.engines.spark.files import Cell, Read, read
from training.engines.spark.hashes import feature
from training.engines.spark.interruptible import interruptible
from training.engines.spark.paths import stored
from training.engines.spark.values import click_of, key_of, number_of, time_of
from training.kernels.columns import LABEL, TIME
from training.kernels.hashed import hashed_fields

WRONG, REPLACED = "_wrong", "_replaced"
"""Whether a row has a wrong field, and whether it has a `REPLACEMENT`."""
REPLACEMENT = "\ufffd"
"""What Spark makes of bytes that are not in the encoding; a file may also have it as such."""
EVENT, PLACE, ROW, FILLED = "_event", "_place", "_row", "_filled"
"""The label's text, an event's place in its files, what is equal in the events of a row, and whether fields are filled.
"""


@dataclass(frozen=True, kw_only=True)
class SparkTables:
    """The interactions whose user and item are in their tables; see `training.engines.spark.source.Typed`."""

    session: SparkSession
    spec: TablesSpec
    report: Reporter

    @property
    def schema(self) -> Schema:
        """The columns of the joined rows."""
        return self.spec.joined_schema

    @property
    def keys(self) -> Mapping[str, str]:
        """The columns of keys by their names in the interactions."""
        return keys_by_column(self.spec)

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """What a row's hash takes in, besides its number."""
        return hashed_fields(self.schema, self.keys, missing_by_column(self.spec))

    @property
    def files(self) -> list[Path]:
        """The files that are read; a version of a Delta table does not change."""
        rules = table_rules(self.spec).values()
        return [file.path for rule in rules for file in rule.files if file.delta is None]

    def typed(self, folder: Path) -> tuple[DataFrame, Counter[str]]:
        """The joined rows, and what was counted; the tables are written beside `folder` first."""
        tables, found = dict[str, DataFrame](), Counter[str]()
        for name, rules in table_rules(self.spec).items():
            place, copies = (folder.with_name(f"{folder.name}-{kind}{name}") for kind in ("", "copy-of-"))
            parts = [_typed(part, self.spec, rules) for part in read(self.session, rules, copies)]
            tables[name] = stored(reduce(DataFrame.unionByName, parts), place)
            counted = _counted(tables[name], self.spec, rules)
            if counted.pop(REPLACED):
                _require_encoding(rules)
            rows = counted.pop(READ)
            if counted.pop(WRONG) or not rows:
                self.explain(None)
            found += counted
            if name == "interactions":
                found[READ] = rows
        for name in self.spec.joined:
            key = KEYS[name]
            repeated = tables[name].groupBy(key).count().where("count > 1").limit(1)
            if interruptible(repeated, DataFrame.collect):
                self.explain(None)
            others = tables["interactions"].join(tables[name], key, "left_anti")
            found[unknown(name)] = interruptible(others, DataFrame.count)
        return _joined(tables, self.spec), +found

    def check(self, found: Counter[str]) -> None:
        """Raise a `DatasetError` if the counts are wrong, else report how many interactions are left."""
        check(found, self.spec, table_rules(self.spec), self.report)

    def explain(self, error: Exception | None) -> NoReturn:
        """Raise the `DatasetError` that names what is wrong with the tables."""
        explain(self.spec, table_rules(self.spec), error)


def _joined(tables: Mapping[str, DataFrame], spec: TablesSpec) -> DataFrame:
    rows = tables["interactions"]
    if spec.one_row_per:
        rows = _first_events(rows, spec)
    for name in spec.joined:
        rows = rows.join(tables[name].drop(WRONG, REPLACED), KEYS[name])
    return rows


def _first_events(events: DataFrame, spec: TablesSpec) -> DataFrame:
    """The rows that events make: see `training.engines.reading.tables`."""
    row = [f"{ROW}{number}" for number in range(len(spec.one_row_per))]
    first = F.struct(*(name for name in events.columns if name not in {*row, LABEL, PLACE}))
    order = F.struct(*([TIME] if spec.timestamp else []), PLACE)
    rows = events.groupBy(*row).agg(F.max(LABEL).alias(LABEL), F.min_by(first, order).alias("first"))
    return rows.select(LABEL, "first.*")


def _typed(part: Read, spec: TablesSpec, rules: TableRules) -> DataFrame:
    """Some of a table's rows with all that is used of them, each column of its type."""
    columns, wrong = dict[str, Column](), [] if part.fault is None else [part.fault]
    keys = {**rules.keys, **{f"{ROW}{number}": name for number, name in enumerate(rules.one_row_per)}}
    for key, name in keys.items():
        columns[key] = key_of(_text(part.cells[name], rules, name))
        wrong.append(columns[key] == "")
    if rules.label:
        text = _text(part.cells[rules.label.column], rules, rules.label.column)
        columns |= {LABEL: click_of(text, rules.label), EVENT: text}
        wrong.append(columns[LABEL].isNull())
    if rules.timestamp:
        name = rules.timestamp.column
        columns[TIME] = time_of(_text(part.cells[name], rules, name), rules.timestamp.format)
        wrong.append(columns[TIME].isNull())
    for one in rules.features:
        cell, name = part.cells[one.name], feature(spec.joined_schema, one.name)
        is_present, columns[name] = _feature(cell, one, rules)
        if not isinstance(one, Category):
            wrong.append(is_present & columns[name].isNull())
        if one.name in spoken_of(rules):
            columns[FILLED + name] = cell.text != ""
    wrong += [cell.fault for cell in part.cells.values() if cell.fault is not None]
    texts = [cell.value for cell in part.cells.values()] if part.has_texts else []
    never = F.lit(False)  # noqa: FBT003 - a literal of Spark, not a flag
    columns[WRONG] = F.coalesce(reduce(or_, (F.coalesce(one, never) for one in wrong), never), never)
    columns[REPLACED] = reduce(or_, (F.coalesce(text.contains(REPLACEMENT), never) for text in texts), never)
    if rules.one_row_per:
        columns[PLACE] = F.struct("_metadata.file_path", "_metadata.file_block_start", F.monotonically_increasing_id())
    rows = part.rows.select(*(column.alias(name) for name, column in columns.items()))
    return _without(rows, rules.forgotten) if KEYS["users"] in columns else rows


def _text(cell: Cell, rules: TableRules, name: str) -> Column:
    """A column's texts, "" where they mean missing."""
    words = sorted(rules.missing.get(name, frozenset()) - {""})
    return F.when(~cell.text.isin(*words), cell.text).otherwise("") if words else cell.text


def _feature(cell: Cell, one: Field, rules: TableRules) -> tuple[Column, Column]:
    """Whether the column has a value in a row, and the value: a text, or a number with null for missing."""
    text = _text(cell, rules, one.name)
    is_present = text != ""
    if isinstance(one, Category):
        return is_present, text
    if isinstance(one, Time):
        moment = time_of(text, one.reading.format, one.reading.zone)
        return is_present, F.when((moment >= FIRST) & (moment < LAST), moment).cast("double")
    if not isinstance(cell.kind, NumericType):
        return is_present, number_of(text, cell.kind)
    return is_present, F.when(is_present, number_of(cell.value, cell.kind))


def _without(rows: DataFrame, forgotten: Forgotten) -> DataFrame:
    """The rows of users who were not forgotten."""
    if not forgotten.users:
        return rows
    is_forgotten = F.udf(partial(Forgotten.__contains__, forgotten), "boolean")
    return rows.where(~is_forgotten(KEYS["users"]))


def _counted(table: DataFrame, spec: TablesSpec, rules: TableRules) -> Counter[str]:
    """Rows, wrong ones, and what `training.datasets.described.quick.Uses` counts, in one pass."""
    counts = {READ: F.count("*"), WRONG: F.count_if(WRONG), REPLACED: F.count_if(REPLACED)}
    if rules.label:
        counts |= {f"event {event}": F.count_if(F.col(EVENT) == event) for event in rules.label.events}
    for one in (one for one in rules.features if one.name in spoken_of(rules)):
        name = feature(spec.joined_schema, one.name)
        value, separator = F.col(name), rules.separators.get(one.name)
        counts[f"filled {one.name}"] = F.count_if(FILLED + name)
        counts[f"present {one.name}"] = F.count_if(value != "" if isinstance(one, Category) else value.isNotNull())
        if separator:
            counts[f"separated {one.name}"] = F.count_if(value.contains(separator))
    numbered = [count.alias(str(number)) for number, count in enumerate(counts.values())]
    (row,) = interruptible(table.agg(*numbered), DataFrame.collect)
    return Counter(dict(zip(counts, row, strict=True)))


def _require_encoding(rules: TableRules) -> None:
    """Raise `EncodingError` if a text file is not in its encoding."""
    for file in (file for file in rules.files if file.is_text):
        with readable(file), open_text(file) as stream:
            while stream.read(1 << 20):
                pass
