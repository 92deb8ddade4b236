"""Finds out which table has which column, and what the column's fields must be."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from pyarrow import parquet

from features.columns import Field
from training.datasets.described.fields import TableRules
from training.datasets.described.files import TableFile, files_of
from training.datasets.described.opening import open_text, readable
from training.datasets.described.spec import TablesSpec
from training.datasets.errors import EmptyDatasetError, MissingFileError, SpecError

KEYS = {"users": "_user_key", "items": "_item_key"}
"""The names of the keys in the joined tables."""

_OTHER_DELIMITERS = (";", "\t", ",", "|")


def header(file: TableFile) -> list[str]:
    """The names of a file's columns, with those of its folders; raises the fitting `DatasetError` without any."""
    with readable(file):
        if file.is_text:
            with open_text(file) as stream:
                names = next(csv.reader(stream, **file.csv_options), [])
        else:
            names = parquet.read_schema(file.path).names
    if not names:
        raise EmptyDatasetError(f"The file {file.path} is empty. Its first row must name the columns.")
    if len(names) == 1 and (other := next((sign for sign in _OTHER_DELIMITERS if sign in names[0]), None)):
        raise SpecError(
            f"{file.path} has one column, {names[0]!r}, as if its fields were separated by {other!r} and not by "
            f"{file.separator!r}. Name the separator in the dataset config: "
            f"{{path: {file.path.name}, separator: {json.dumps(other)}}}."
        )
    names += [name for name in file.folder_values if name not in names]
    # Spark's SQL does not distinguish upper and lower case in column names, and readers of a report hardly do.
    folded = [name.lower() for name in names]
    if repeated := sorted({name for name in names if folded.count(name.lower()) > 1}):
        raise SpecError(f"{file.path} has several columns of the same name: {', '.join(repeated)}. Rename all but one.")
    return names


def nested_columns(file: TableFile) -> list[str]:
    """The columns of a Parquet file that hold lists or structs, which are not supported."""
    return [] if file.is_text else [one.name for one in _schema(file) if pa.types.is_nested(one.type)]


def _schema(file: TableFile) -> pa.Schema:
    with readable(file):
        return parquet.read_schema(file.path)


def table_rules(spec: TablesSpec) -> dict[str, TableRules]:
    """The rules for each table's fields; raises like `locate`."""
    files = {table: files_of(source) for table, source in spec.tables.items()}
    headers = {table: header(own[0]) for table, own in files.items()}
    located = locate(spec, headers)
    keys = {"interactions": {KEYS[name]: one.foreign_key for name, one in spec.entities.items()}}
    keys |= {name: {KEYS[name]: one.key} for name, one in spec.entities.items()}
    for table, own in files.items():
        used = {*keys[table].values(), *(feature.name for feature in located[table])}
        if nested := [name for name in nested_columns(own[0]) if name in used]:
            raise SpecError(
                f"{own[0].path} holds lists or structs in {', '.join(nested)}. Write each as text, with a `separator` "
                "between the values of a list, or leave it out of the dataset config."
            )
    return {
        table: TableRules(
            shown=source.shown,
            files=files[table],
            keys=keys[table],
            features=located[table],
            label=spec.label if table == "interactions" and spec.label.column else None,
            timestamp=spec.timestamp if table == "interactions" else None,
            one_row_per=spec.one_row_per if table == "interactions" else (),
            missing={name: spec.missing_in(name) for name in headers[table]},
        )
        for table, source in spec.tables.items()
    }


def require_columns(files: Sequence[TableFile], used: Sequence[str]) -> None:
    """Raise `MissingFileError` or `SpecError` if the files of a table do not all have its used columns, alike."""
    first, *others = files
    kinds = {name: (kind, first) for name, kind in _kinds(first)} if others else {}
    for file in others:
        names = header(file)
        if missing := [name for name in used if name not in names]:
            raise MissingFileError(
                f"The files of a table must have the same columns, but {file.path} has no {', '.join(missing)}, which "
                f"{first.path} has. It has {', '.join(names)}. Write it again, or leave the column out of the dataset "
                "config."
            )
        for name, kind in _kinds(file):
            known, where = kinds.setdefault(name, (kind, file))
            if name in used and kind != known:
                raise SpecError(
                    f"The column {name} is {known} in {where.path} and {kind} in {file.path}. Write it in all files "
                    "alike."
                )


def _kinds(file: TableFile) -> Iterator[tuple[str, str]]:
    """What a Parquet file's columns hold, in words; text files hold texts alone, and null fits everything."""
    for one in () if file.is_text else _schema(file):
        kind = one.type.value_type if pa.types.is_dictionary(one.type) else one.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            yield one.name, "a number"
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
            yield one.name, "text"
        elif pa.types.is_temporal(kind):
            yield one.name, "a time"
        elif pa.types.is_nested(kind):
            yield one.name, "a list or struct"


def locate(spec: TablesSpec, headers: Mapping[str, Sequence[str]] | None = None) -> dict[str, list[Field]]:
    """The features that each table has, by the `headers` of their first files.

    Raises `MissingFileError` if the tables lack a column, and `SpecError` if two tables have it; keys may be in all
    of them.
    """
    if headers is None:
        headers = {table: header(files_of(source)[0]) for table, source in spec.tables.items()}
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
            problems.append(f"{name} is in none of {', '.join(one.shown for one in spec.tables.values())}")
    if problems:
        raise SpecError(f"The columns do not fit the tables: {'; '.join(problems)}.")
    return located


def _require_keys(spec: TablesSpec, headers: Mapping[str, Sequence[str]]) -> None:
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
            f"{spec.tables[table].shown} has no column {name!r}, only {', '.join(headers[table])}"
            for table, name in missing
        )
        raise MissingFileError(f"The tables lack columns that the dataset config names: {listed}.")
