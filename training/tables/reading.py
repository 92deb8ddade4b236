"""The tables of a dataset config: the interactions in blocks, each joined with all users and items.

Events that make one row have the first one's time and columns, and are a click if one of them is. Rows of users who
were forgotten are left out before anything else reads them. This only finds out that a table is malformed;
`training.tables.quick` then says what is wrong with it.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from features.schema import Schema
from training.config import TablesSpec
from training.errors import BadRowsError, DatasetError, EmptyDatasetError, require_both_classes
from training.kernels.columns import LABEL, TIME
from training.kernels.hashed import Fields, hashed
from training.kernels.xxh64 import distinct_texts
from training.tables import opening
from training.tables.columns import KEYS, keys_by_column, table_rules
from training.tables.files import TableFile
from training.tables.opening import readable
from training.tables.progress import STAGE, Reporter
from training.tables.quick import NO_OTHERS, kept, look_at, matches, problems
from training.tables.texts import chunks, text_array, texts_of
from training.tables.typed import ROW_KEY, USER_KEY, TableRules, TypedTable, normalized, typed

Numbers = npt.NDArray[np.int64]


FirstEvents = tuple[Numbers, npt.NDArray[np.int8]]
"""The events of a part of the interactions that are the first of their row: their places in the part, int64[m]
ascending, and the rows' labels, int8[m]."""


def _among(rows: FirstEvents, blocks: Iterable[TypedTable]) -> Iterator[TypedTable]:
    """The first events in the part's blocks, with the label of their row."""
    (places, label), start = rows, 0
    for block in blocks:
        end = start + block.rows
        own = slice(*np.searchsorted(places, [start, end]))
        yield block.of(places[own] - start, **{LABEL: label[own]})
        start = end


def first_events(parts: Sequence[Iterable[TypedTable]]) -> list[FirstEvents]:
    """The first events of the rows in each of these parts: the earliest, and of several at one time the first one read.

    This holds 25 bytes for each event of all parts, and as much again while it sorts them.
    """
    heads = [[_head(block) for block in part] for part in parts]
    ends = np.cumsum([sum(len(key) for key, _, _ in part) for part in heads])
    key, time, label = (
        np.concatenate([np.empty(0, kind), *(head[place] for part in heads for head in part)])
        for place, kind in enumerate((np.int64, np.int64, np.int8))
    )
    order = np.lexsort((time, key))  # which keeps the order of equal ones
    starts = np.flatnonzero(np.diff(key[order], prepend=key[order[:1]] - 1))
    first, clicked = order[starts], np.maximum.reduceat(label[order], starts)
    by_place = np.argsort(first)
    first, clicked = first[by_place], clicked[by_place]
    cuts = np.searchsorted(first, ends[:-1])
    places = zip(np.split(first, cuts), np.split(clicked, cuts), [0, *ends[:-1]], strict=True)
    return [(own - start, labels) for own, labels, start in places]


def _head(block: TypedTable) -> tuple[Numbers, Numbers, npt.NDArray[np.int8]]:
    """Row key, time and label of each event; without times all are alike."""
    columns = {TIME: pa.array(np.zeros(block.rows, np.int64)), **block.columns}
    key, time, label = (columns[name].to_numpy() for name in (ROW_KEY, TIME, LABEL))
    return key, time, label


def of_read_users(columns: Mapping[str, pa.Array], rules: TableRules) -> Mapping[str, pa.Array]:
    """The rows of users who were not forgotten, and are in the share that is read. Who has no key counts by basket."""
    column = rules.keys.get(USER_KEY)
    if column is None or not (rules.forgotten.users or rules.share < 1):
        return columns
    users = normalized(texts_of(columns[column]), rules.key_rule(USER_KEY))
    gone = [user for user in pc.unique(users).to_pylist() if user in rules.forgotten]
    kept = pc.invert(pc.is_in(users, text_array(gone)))
    if rules.share < 1:
        if rules.source.basket in columns:
            users = pc.if_else(pc.equal(users, ""), texts_of(columns[rules.source.basket]), users)
        kept = pc.and_(kept, pa.array(distinct_texts(users).view(np.uint64) < rules.share * 2.0**64))
    return {name: values.filter(kept) for name, values in columns.items()}


NOT_RIGHT = (BadRowsError, DatasetError, pa.ArrowException, KeyError, OSError)


Piece = Callable[[], Iterable[Fields]]
"""Reads the rows that are one process's share; malformed rows raise a `DatasetError`."""


def opened(spec: TablesSpec, rules: Mapping[str, TableRules]) -> tuple[list[Piece], Counter[str]]:
    """The interactions whose user and item are in their tables, in pieces, and what was counted of users and items,
    which are read now. Raises a `DatasetError` for malformed tables.
    """
    parts = parts_of(rules["interactions"])
    rows = first_events([read_heads(spec, part, rules) for part in parts]) if spec.one_row_per else [None] * len(parts)
    joined = {table: rules[table] for table in spec.joined}
    uses = sum((entities(spec, rule).uses for rule in joined.values()), Counter[str]())
    return [partial(_joined, spec, part, own, joined) for part, own in zip(parts, rows, strict=True)], uses


def hashed_rows(fields: Fields, schema: Schema) -> tuple[pa.RecordBatch, Counter[str]]:
    """Typed rows, hashed, and what was counted while reading them: "rows", "clicks" and others."""
    found = Counter(fields.counted)
    found.update(rows=len(fields), clicks=int(fields.label.sum()))
    return hashed(fields, schema), found


@contextmanager
def unchanged(rules: Mapping[str, TableRules]) -> Iterator[None]:
    """Guard a block that reads the tables; raises `DatasetError` if a file, which is no Delta table, has changed."""
    own = {file for rule in rules.values() for file in rule.files}
    own |= {other for file in own for lookup in file.lookups for other in lookup.files}
    files = [file.path for file in own if file.delta is None]
    before = [_version(file) for file in files]
    yield
    for file, known in zip(files, before, strict=True):
        if _version(file) != known:
            raise DatasetError(f"The file {file} changed while it was read. Run the command again.")


def _version(file: Path) -> tuple[int, int]:
    """Size and modification time, which change with the file's content."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def check(found: Counter[str], spec: TablesSpec, rules: Mapping[str, TableRules], report: Reporter) -> None:
    """Raise a `DatasetError` if the counts over all tables are wrong, else report how many interactions are left."""
    mixed = 0 < found["clicks"] < found["rows"]
    if not mixed or any(next(problems(found, rule, {}), None) for rule in rules.values()):
        forgotten = rules["interactions"].forgotten.users
        if forgotten or (spec.one_row_per and found["rows"]):
            look_at(rules, sys.maxsize)
            left = spec.interactions.shown
            if spec.one_row_per:
                left += " that `one_row_per` makes"
            if forgotten:
                left += ", without those of forgotten users,"
            if not found["rows"]:
                raise EmptyDatasetError(f"No row of {left} is left.")
            require_both_classes(left, rows=found["rows"], clicks=found["clicks"], if_clicks=NO_OTHERS)
        explain(spec, rules)
    if sentence := kept(found, spec):
        report(STAGE, sentence)


def parts_of(rules: TableRules) -> list[TableRules]:
    """A table in parts that can be read separately: ranges of large files, and small files together."""
    parts: list[list[TableFile]] = []
    room = 0
    for file in rules.files:
        for part, size in _divided(file):
            if size > room:
                parts.append([])
                room = opening.BLOCK_BYTES
            parts[-1].append(replace(file, part=part))
            room -= size
    return [replace(rules, files=tuple(part)) for part in parts]


def _divided(file: TableFile) -> Iterator[tuple[tuple[int, int], int]]:
    """The ranges in which a file can be read, of bytes or row groups, with their size in bytes."""
    if file.has_lines:
        parts = [(0, sys.maxsize)] if file.text.line_breaks else opening.parts(file.path)
        yield from (((start, end), end - start) for start, end in parts)
        return
    if file.delta is not None:
        yield (0, 1), file.size
        return
    with readable(file), parquet.ParquetFile(file.path) as opened:
        metadata = opened.metadata
        yield from (((at, at + 1), metadata.row_group(at).total_byte_size) for at in range(metadata.num_row_groups))


def read_part(spec: TablesSpec, table: str, rules: Mapping[str, TableRules]) -> Iterator[TypedTable]:
    """The rows of a table, or of the part of it that its rules name; an error is looked for in all `rules`."""
    try:
        yield from _typed(rules[table])
    except NOT_RIGHT as error:
        explain(spec, rules, error)


def read_heads(spec: TablesSpec, part: TableRules, rules: Mapping[str, TableRules]) -> Iterator[TypedTable]:
    """The rows of the interactions, or of a part of them, without features."""
    yield from read_part(spec, "interactions", {**rules, "interactions": replace(part, features=[])})


def entities(spec: TablesSpec, rules: TableRules) -> TypedTable:
    """All users, or all items, which stay in memory; raises like `read_all`."""
    return _kept(spec, rules, tuple(_version(file.path) for file in rules.files))


@lru_cache(maxsize=4)
def _kept(spec: TablesSpec, rules: TableRules, _versions: tuple[tuple[int, int], ...]) -> TypedTable:
    return read_all(spec, rules)


def read_all(spec: TablesSpec, rules: TableRules) -> TypedTable:
    """All users, or all items; raises the fitting `DatasetError` without any, or for a malformed or a repeated one."""
    try:
        found = TypedTable.together([*_typed(rules)])
        found = found.latest(rules) if rules.whole_row else found
        keys = found.columns[KEYS[rules.table]]
        if len(pc.unique(keys)) < len(keys):
            raise BadRowsError("a repeated key")
    except NOT_RIGHT as error:
        every = table_rules(spec)
        explain(spec, every | {rules.table: replace(every[rules.table], source=rules.source)}, error)
    return found


def _typed(rules: TableRules) -> Iterator[TypedTable]:
    """The rows of a table, or of a part of one."""
    for file in rules.files:
        for chunk in chunks(file, rules.columns):
            yield typed(of_read_users(chunk.columns(), rules), rules)


def _joined(
    spec: TablesSpec, part: TableRules, rows: FirstEvents | None, rules: Mapping[str, TableRules]
) -> Iterator[Fields]:
    """The interactions in one part of their table, joined with the users and items; with `rows`, those that are the
    first of their row.
    """
    read, schema = read_part(spec, "interactions", {"interactions": part, **rules}), spec.joined_schema
    for own in read if rows is None else _among(rows, read):
        others = {table: entities(spec, rule) for table, rule in rules.items()}
        known = {table: entity.known[KEYS[table]] for table, entity in others.items()}
        places, kept, counts = matches(own.columns, known, own.rows, known)
        place = pa.array(np.flatnonzero(kept))
        columns = {name: values.take(place) for name, values in own.columns.items()}
        features = {name: values.take(place) for name, values in own.features.items()}
        for table, entity in others.items():
            found = places[table].take(place)
            features |= {name: values.take(found) for name, values in entity.features.items()}
        yield Fields(
            label=columns[LABEL].to_numpy(),
            numeric=[features[field.name].to_numpy(zero_copy_only=False) for field in schema.numbers],
            categorical=[features[field.name] for field in schema.texts],
            time=columns[TIME].to_numpy() if TIME in columns else None,
            keys={column: columns[key] for column, key in keys_by_column(spec).items()},
            counted=own.uses + counts,
        )


def explain(spec: TablesSpec, rules: Mapping[str, TableRules], cause: Exception | None = None) -> NoReturn:
    """Read the tables, or these files of them, again and raise the `DatasetError` that says what is wrong with them."""
    whole = {
        table: replace(rule, files=tuple(dict.fromkeys(replace(file, part=None) for file in rule.files)))
        for table, rule in rules.items()
    }
    look_at(whole, sys.maxsize)
    raise DatasetError(
        f"The tables of {spec.interactions.shown} cannot be read ({cause}), though each row is well formed. Write them "
        "again."
    ) from cause
