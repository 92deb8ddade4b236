"""Finds out which table has which column, and what the column's fields must be."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from features.columns import Category, Field
from training.config import TablesSpec
from training.errors import EmptyDatasetError, MalformedRowError, MissingFileError, SpecError
from training.kernels.hashed import hashed_fields
from training.tables.files import Lookup, TableFile, files_of
from training.tables.opening import first_row, open_bytes, open_rows, readable
from training.tables.texts import flat_names, names_in, objects_by_line, top_of
from training.tables.typed import USER_KEY, TableRules, is_of_numbers

KEYS = {"users": USER_KEY, "items": "_item_key"}
"""The names of the keys in the joined tables."""


def keys_by_column(spec: TablesSpec) -> dict[str, str]:
    """The names in `KEYS` of the interactions' keys, by the names of their columns."""
    return {one.foreign_key: KEYS[name] for name, one in spec.entities.items()}


def hashed_of(spec: TablesSpec) -> tuple[str, ...]:
    """What a row's hash takes in, which decides its side: its fields by name, and its number among equal ones."""
    missing = {one.column: spec.missing_in(one.column) for one in spec.features}
    return hashed_fields(spec.joined_schema, keys_by_column(spec), missing)


_INDEX = re.compile(r"(__index_level_[0-9]+__|Unnamed: [0-9]+)?")
"""The names of pandas' columns of row numbers, which are no columns of the table; in CSV files they have none."""
_NUMBER = "a number"
_JSON_BYTES = 1 << 20
_OTHER_DELIMITERS = (";", "\t", ",", "|")


def header(file: TableFile) -> list[str]:
    """The names of a file's columns, with those of its folders and without those of pandas' indices; raises the fitting
    `DatasetError` without any.
    """
    with readable(file):
        names = first_row(file) if file.is_text else list(_columns(file))
    if not names:
        raise EmptyDatasetError(f"The file {file.path} is empty. Its first row must name the columns.")
    if len(names) == 1 and (other := next((sign for sign in _OTHER_DELIMITERS if sign in names[0]), None)):
        raise SpecError(
            f"{file.path} has one column, {names[0]!r}, as if its fields were separated by {other!r} and not by "
            f"{file.separator!r}. Name the separator in the dataset config: "
            f"{{path: {file.path.name}, separator: {json.dumps(other)}}}."
        )
    if broken := [name for name in names if file.is_text and "\n" in name]:
        raise SpecError(f"{file.path} has a line break in the name of a column, {broken[0]!r}. Rename it.")
    names += [name for name in file.folder_values if name not in names]
    for lookup in file.lookups:
        names += [name for name in header(lookup.files[0]) if name not in names]
    # Spark's SQL does not distinguish upper and lower case in column names, and readers of a report hardly do.
    folded = [name.lower() for name in names]
    if repeated := sorted({name for name in names if folded.count(name.lower()) > 1}):
        raise SpecError(f"{file.path} has several columns of the same name: {', '.join(repeated)}. Rename all but one.")
    return [name for name in names if not _INDEX.fullmatch(name)]


def lists_in(file: TableFile) -> list[str]:
    """The columns of a Parquet or JSON file that hold lists."""
    return [] if file.is_text else [name for name, is_list in _columns(file).items() if is_list]


def bytes_in(file: TableFile) -> list[str]:
    """The columns of a Parquet file that hold bytes, such as pictures, and need not be texts."""
    if file.has_lines:
        return []
    return [one.name for one in _schema(file) if pa.types.is_binary(one.type) or pa.types.is_large_binary(one.type)]


def numbers_in(file: TableFile) -> list[str]:
    """The columns of a Parquet or Delta file that hold numbers."""
    return [name for name, kind in _kinds(file) if kind == _NUMBER]


def _columns(file: TableFile) -> dict[str, bool]:
    """The columns of a Parquet or JSON file, and whether each holds lists; of JSON, those in its first megabyte."""
    if not file.is_json:
        return flat_names(_schema(file))
    with readable(file), open_bytes(file.path) as stream:
        content = stream.read(_JSON_BYTES) + stream.readline()
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        raise SpecError(
            f"{file.path} is one JSON array. Write one object per line instead: "
            f"jq --compact-output '.[]' {file.path.name} > {file.path.stem}.jsonl"
        )
    found, *_ = objects_by_line(content, 0)  # reading all lines names those that are wrong
    if content.strip() and not found:
        raise MalformedRowError(
            f"{file.path} has no JSON object in its lines, the first of which is {content[:60].splitlines()[0]!r}. "
            "Write one object per line."
        )
    return names_in(found)


def _schema(file: TableFile) -> pa.Schema:
    with readable(file), open_rows(file) as rows:
        return rows.schema_arrow


def shared_columns(files: Sequence[TableFile]) -> list[str]:
    """The columns that all files of a table have, without those of lists and bytes."""
    first, *others = files
    shared = set.intersection({*header(first)}, *({*header(file)} for file in others))
    return [name for name in header(first) if name in shared - {*lists_in(first), *bytes_in(first)}]


def table_rules(spec: TablesSpec, *, listed: bool = False) -> dict[str, TableRules]:
    """The rules for each table's fields; raises like `locate`. Only if items are `listed`, so that they may be
    recommended, or choices are all that is learned, their `where` leaves some out.
    """
    files = {table: files_of(source) for table, source in spec.tables.items()}
    headers = {table: header(own[0]) for table, own in files.items()}
    located = locate(spec, headers)
    keys = {"interactions": {KEYS[name]: one.foreign_key for name, one in spec.entities.items()}}
    keys |= {name: {KEYS[name]: one.key} for name, one in spec.entities.items()}
    rules = {KEYS[name]: one.keys.rule for name, one in spec.entities.items()}
    unique = {name for name, one in spec.joined.items() if one.duplicates}
    times = {"interactions", *(name for name in unique if spec.timestamp and spec.timestamp.column in headers[name])}
    unfiltered = set() if listed or spec.label.only_positives else {"items"}
    for table, own in files.items():
        if spec.tables[table].decimal == "," and (other := next((file for file in own if not file.is_text), None)):
            raise SpecError(
                f"{other.path} writes numbers as JSON or Parquet does, and `decimal` is for CSV and TSV files. Leave "
                f"it out of `{table}`."
            )
        texts = {one.name for one in located[table] if isinstance(one, Category) and not one.separator}
        if lists := [name for name in lists_in(own[0]) if name in {*keys[table].values(), *texts}]:
            raise SpecError(
                f"{own[0].path} holds lists in {', '.join(lists)}. Name a separator, by which requests give several "
                f'values in one text: {{column: {json.dumps(lists[0])}, separator: "|"}}, or leave the column out of '
                "the dataset config."
            )
    return {
        table: TableRules(
            source=source.model_copy(update={"where": ()}) if table in unfiltered else source,
            files=_with_categories(files[table], located[table], headers[table]),
            keys=keys[table],
            features=located[table],
            label=spec.label if table == "interactions" and spec.label.column else None,
            table=table,
            timestamp=spec.timestamp if table in times else None,
            one_row_per=spec.one_row_per if table == "interactions" else (),
            forgotten=spec.forgotten,
            share=spec.share,
            whole_row=tuple(shared_columns(files[table])) if table in unique else (),
            key_rules={key: rule for key, rule in rules.items() if key in keys[table]},
            missing={name: spec.missing_in(name) for name in (*headers[table], *(one.name for one in located[table]))},
        )
        for table, source in spec.tables.items()
    }


def _with_categories(
    files: Sequence[TableFile], features: Sequence[Field], names: Sequence[str]
) -> tuple[TableFile, ...]:
    """The files with what is read of their features, and what a row gets from each joined table: `names` that no table
    before it has.
    """
    lookups, known = list[Lookup](), dict.fromkeys(header(replace(files[0], lookups=())))
    for lookup in files[0].lookups:
        if lookup.key not in known:
            raise MissingFileError(
                f"{files[0].path} has no column {lookup.key!r}, by which {lookup.files[0].path} is joined, only "
                f"{', '.join(known)}. Join tables in the order in which one has the key of the next."
            )
        theirs = header(lookup.files[0])
        if lookup.key not in theirs:
            raise MissingFileError(f"{lookup.files[0].path} has no column {lookup.key!r}, only {', '.join(theirs)}.")
        given = [name for name in theirs if name in names and name not in known]
        lookups.append(lookup if lookup.fills else replace(lookup, names=tuple(given)))
        known |= dict.fromkeys(given)
    texts = [one for one in features if isinstance(one, Category)]
    lists = tuple((one.name, one.separator) for one in texts if one.separator)
    categories = tuple(one.name for one in texts)
    return tuple(replace(file, lists=lists, categories=categories, lookups=tuple(lookups)) for file in files)


def require_columns(files: Sequence[TableFile], used: Sequence[str]) -> None:
    """Raise `MissingFileError` or `SpecError` if the files of a table do not all have its used columns, alike."""
    first, *others = files
    kinds = {name: (kind, first) for name, kind in _kinds(first)} if others else {}
    for file in others:
        names = header(file)
        if missing := [name for name in used if not (file.is_json or top_of(name, names) in names)]:
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
    for one in () if file.has_lines else _schema(file):
        kind = one.type.value_type if pa.types.is_dictionary(one.type) else one.type
        if is_of_numbers(kind):
            yield one.name, _NUMBER
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
        owners = [table for table, columns in headers.items() if _has(columns, name) and keys.get(table) != name]
        if len(owners) == 1:
            located[owners[0]].append(feature)
        elif owners:
            problems.append(f"{name} is in both {' and '.join(owners)}: rename one of them")
        else:
            problems.append(f"{name} is in none of {', '.join(one.shown for one in spec.tables.values())}")
    if problems:
        raise SpecError(f"The columns do not fit the tables: {'; '.join(problems)}.")
    return located


def _has(columns: Sequence[str], name: str) -> bool:
    """Whether a column is among these, or a number in one of them that holds lists: `factors.0` in `factors`."""
    of_list, _, place = name.rpartition(".")
    return name in columns or (place.isdigit() and of_list in columns)


def _require_keys(spec: TablesSpec, headers: Mapping[str, Sequence[str]]) -> None:
    needed = [
        *(("interactions", name) for name in (spec.label.column, *spec.one_row_per) if name),
        *(("interactions", one.foreign_key) for one in spec.entities.values()),
        *((table, name) for table, one in spec.joined.items() for name in (one.key, *one.show)),
    ]
    needed += [(table, name) for table, source in spec.tables.items() for name in source.cleaned_by]
    if spec.timestamp:
        needed.append(("interactions", spec.timestamp.column))
    missing = [(table, name) for table, name in needed if name not in headers[table]]
    if missing:
        listed = "; ".join(
            f"{spec.tables[table].shown} has no column {name!r}, only {', '.join(headers[table])}"
            for table, name in missing
        )
        raise MissingFileError(f"The tables lack columns that the dataset config names: {listed}.")
