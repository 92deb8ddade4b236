"""Finds out which table has which column, and what the column's fields must be."""

import csv
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from features.columns import Field
from training.datasets.described.fields import TableRules
from training.datasets.described.spec import TablesSpec
from training.datasets.described.texts import delimiter, is_text, open_text, readable
from training.datasets.errors import EmptyDatasetError, MissingFileError, SpecError

KEYS = {"users": "_user_key", "items": "_item_key"}
"""The names of the keys in the joined tables."""

_OTHER_DELIMITERS = (";", "\t", ",", "|")


def header(path: Path) -> list[str]:
    """The names of a table's columns; raises the fitting `DatasetError` for a file without any."""
    with readable(path):
        if is_text(path):
            with open_text(path) as stream:
                names = next(csv.reader(stream, delimiter=delimiter(path)), [])
        else:
            names = parquet.read_schema(path).names
    if not names:
        raise EmptyDatasetError(f"The file {path} is empty. Its first row must name the columns.")
    if len(names) == 1 and (other := next((sign for sign in _OTHER_DELIMITERS if sign in names[0]), None)):
        raise SpecError(
            f"{path} has one column, {names[0]!r}, as if its fields were separated by {other!r}. Separate them by "
            f"{delimiter(path)!r}; a file with tabs has a name that ends in .tsv."
        )
    # Spark's SQL does not distinguish upper and lower case in column names, and readers of a report hardly do.
    folded = [name.lower() for name in names]
    if repeated := sorted({name for name in names if folded.count(name.lower()) > 1}):
        raise SpecError(f"{path} has several columns of the same name: {', '.join(repeated)}. Rename all but one.")
    return names


def nested_columns(path: Path) -> list[str]:
    """The columns of a Parquet file that hold lists or structs, which are not supported."""
    if is_text(path):
        return []
    with readable(path):
        return [one.name for one in parquet.read_schema(path) if pa.types.is_nested(one.type)]


def table_rules(spec: TablesSpec) -> dict[str, TableRules]:
    """The rules for each table's fields; raises like `locate`."""
    located = locate(spec)
    keys = {"interactions": {KEYS[name]: one.foreign_key for name, one in spec.entities.items()}}
    keys |= {name: {KEYS[name]: one.key} for name, one in spec.entities.items()}
    for table, path in spec.tables.items():
        used = {*keys[table].values(), *(feature.name for feature in located[table])}
        if nested := [name for name in nested_columns(path) if name in used]:
            raise SpecError(
                f"{path} holds lists or structs in {', '.join(nested)}. Write each as text, with a `separator` between "
                "the values of a list, or leave it out of the dataset config."
            )
    return {
        table: TableRules(
            path=path,
            keys=keys[table],
            features=located[table],
            label=spec.label if table == "interactions" and spec.label.column else None,
            timestamp=spec.timestamp if table == "interactions" else None,
            one_row_per=spec.one_row_per if table == "interactions" else (),
            missing={name: spec.missing_in(name) for name in header(path)},
        )
        for table, path in spec.tables.items()
    }


def locate(spec: TablesSpec) -> dict[str, list[Field]]:
    """The features that each table has.

    Raises `MissingFileError` if the tables lack a column, and `SpecError` if two tables have it; keys may be in all
    of them.
    """
    headers = {table: header(path) for table, path in spec.tables.items()}
    _require_keys(spec, headers)
    keys = {table: one.key for table, one in spec.joined.items()}
    located: dict[str, list[Field]] = {table: [] for table in headers}
    problems = []
    for feature in spec.joined_schema.stored:
        name = feature.name
        # A key in the interactions is taken from there: the other table has the same value.
        owners = [table for table, columns in headers.items() if name in columns and keys.get(table) != name]
        if len(owners) == 1:
            located[owners[0]].append(feature)
        elif owners:
            problems.append(f"{name} is in both {' and '.join(owners)}: rename one of them")
        else:
            problems.append(f"{name} is in none of {', '.join(str(path) for path in spec.tables.values())}")
    if problems:
        raise SpecError(f"The columns do not fit the tables: {'; '.join(problems)}.")
    return located


def _require_keys(spec: TablesSpec, headers: dict[str, list[str]]) -> None:
    needed = [
        *(("interactions", name) for name in (spec.label.column, *spec.one_row_per) if name),
        *(("interactions", one.foreign_key) for one in spec.entities.values()),
        *((table, one.key) for table, one in spec.joined.items()),
    ]
    if spec.timestamp:
        needed.append(("interactions", spec.timestamp.column))
    missing = [(table, name) for table, name in needed if name not in headers[table]]
    if missing:
        listed = "; ".join(
            f"{spec.tables[table]} has no column {name!r}, only {', '.join(headers[table])}" for table, name in missing
        )
        raise MissingFileError(f"The tables lack columns that the dataset config names: {listed}.")
