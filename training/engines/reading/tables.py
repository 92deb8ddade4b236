"""The tables of a dataset config: the interactions in blocks, each joined with all users and items.

This only finds out that a table is malformed; `training.datasets.described.quick` then says what is wrong with it.
"""

import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from training.datasets.described.columns import KEYS, header, table_rules
from training.datasets.described.fields import TableRules
from training.datasets.described.lines import BadLinesError, parse
from training.datasets.described.problems import NO_OTHERS
from training.datasets.described.quick import look_at
from training.datasets.described.spec import TablesSpec
from training.datasets.described.texts import as_texts, delimiter, is_text
from training.datasets.described.uses import problems
from training.datasets.errors import DatasetError, require_both_classes
from training.datasets.manifest import WHOLE
from training.datasets.progress import STAGE, Reporter
from training.engines.reading import blocks
from training.engines.reading.events import FirstEvents, first_events
from training.engines.reading.opened import Opened, Piece, version
from training.files import source
from training.kernels.hashed import Fields
from training.kernels.numbers import NotNumbersError
from training.kernels.tables import BadFieldsError, TypedTable, matches, typed

_NOT_RIGHT = (BadFieldsError, BadLinesError, NotNumbersError, pa.ArrowException, EOFError, OSError, zlib.error)
_BATCH_ROWS = 100_000
"""Rows of a Parquet file in memory at a time."""
Texts = Mapping[str, pa.StringArray]


Part = tuple[int, int] | None
"""A byte range of a text file; None for a whole file of another format."""


def open_tables(spec: TablesSpec, report: Reporter) -> Opened:
    """The interactions whose user and item are in their tables; `report` is told how many there are.

    Users and items are read now. Raises a `DatasetError` for malformed tables.
    """
    rules = table_rules(spec)
    parts = parts_of(rules["interactions"])
    rows = first_events([_heads(spec, part) for part in parts]) if spec.one_row_per else [None] * len(parts)
    uses, files = Counter[str](), tuple(rule.path for rule in rules.values())
    for table in spec.joined:
        uses.update(_entities(spec, table).uses)
    return Opened(
        schema=spec.joined_schema,
        pieces=[
            Piece(day=WHOLE, fields=partial(_joined, spec, part, own), files=files)
            for part, own in zip(parts, rows, strict=True)
        ],
        files=files,
        check=lambda found: check(found + uses, spec, report),
    )


def check(found: Counter[str], spec: TablesSpec, report: Reporter) -> None:
    """Raise a `DatasetError` if the counts over all tables are wrong, else report how many interactions are left."""
    mixed = 0 < found["clicks"] < found["rows"]
    if not mixed or any(next(problems(found, rules, {}), None) for rules in table_rules(spec).values()):
        if spec.one_row_per and found["rows"]:
            look_at(table_rules(spec), sys.maxsize)
            made = f"{spec.interactions} that `one_row_per` makes"
            require_both_classes(made, rows=found["rows"], clicks=found["clicks"], if_clicks=NO_OTHERS)
        explain(spec)
    known = " and ".join(table.removesuffix("s") for table in spec.joined)
    if spec.one_row_per:
        kept = f"{found['read']:,} events make {found['rows']:,} rows"
        report(STAGE, f"{kept} with a known {known}" if known else kept)
    elif known:
        report(STAGE, f"{found['rows']:,} of {found['read']:,} interactions have a known {known}")


def parts_of(rules: TableRules) -> list[Part]:
    """The parts in which a table can be read separately."""
    return [*blocks.parts(rules.path)] if is_text(rules.path) else [None]


def read_part(spec: TablesSpec, table: str, part: Part) -> Iterator[TypedTable]:
    """The rows in one part of a table's file."""
    yield from _read(spec, table_rules(spec)[table], part)


def _heads(spec: TablesSpec, part: Part) -> Iterator[TypedTable]:
    """The events in one part of the interactions, without features."""
    yield from _read(spec, replace(table_rules(spec)["interactions"], features=[]), part)


def _read(spec: TablesSpec, rules: TableRules, part: Part) -> Iterator[TypedTable]:
    try:
        for texts in _texts(rules, part):
            yield typed(texts, rules)
    except _NOT_RIGHT as error:
        explain(spec, error)


def _entities(spec: TablesSpec, table: str) -> TypedTable:
    """All users, or all items."""
    return _read_entities(spec, table, version(table_rules(spec)[table].path))


@lru_cache(maxsize=4)
def _read_entities(spec: TablesSpec, table: str, _version: tuple[int, int]) -> TypedTable:
    rules = table_rules(spec)[table]
    try:
        texts = list(_texts(rules))
        whole = {name: pa.concat_arrays([part[name] for part in texts]) for name in rules.columns}
        found = typed(whole, rules)
        (keys,) = found.keys.values()
        if len(keys) == 0 or len(pc.unique(keys)) < len(keys):
            raise BadFieldsError("no row, or a repeated key")
    except _NOT_RIGHT as error:
        explain(spec, error)
    return found


def _joined(spec: TablesSpec, part: Part, rows: FirstEvents | None) -> Iterator[Fields]:
    """The joined interactions in one part of their file; with `rows`, those that are the first of their row."""
    read = read_part(spec, "interactions", part)
    for own in read if rows is None else rows.among(read):
        yield _join(own, spec)


def _join(own: TypedTable, spec: TablesSpec) -> Fields:
    """Interactions with their users' and items' columns; an inner join."""
    places = {}
    label = _present(own.label)
    known = np.ones(len(label), dtype=np.bool_)
    entities = {table: _entities(spec, table) for table in spec.joined}
    for table, entity in entities.items():
        found = matches(own.keys[KEYS[table]], entity.keys[KEYS[table]])
        known &= found.is_valid().to_numpy(zero_copy_only=False)
        places[table] = found
    own_rows = pa.array(np.flatnonzero(known))
    rows = {"interactions": own_rows} | {table: place.take(own_rows) for table, place in places.items()}
    features = {
        name: values[rows[table].to_numpy()] if isinstance(values, np.ndarray) else values.take(rows[table])
        for table, of in ({"interactions": own} | entities).items()
        for name, values in of.features.items()
    }
    schema = spec.joined_schema
    kept = own_rows.to_numpy()
    return Fields(
        label=label[kept].astype(np.int8),
        numeric=[features[field.name] for field in schema.numbers],
        categorical=[features[field.name] for field in schema.texts],
        time=None if own.time is None else own.time[kept],
        counted=Counter(own.uses) + Counter(read=len(known)),
    )


def _present(label: npt.NDArray[np.int8] | None) -> npt.NDArray[np.int8]:
    return np.empty(0, np.int8) if label is None else label


def _texts(rules: TableRules, only: Part = None) -> Iterator[Texts]:
    """The used columns of a table as text, from one part of its file or from all of it."""
    if not is_text(rules.path):
        yield from _of_parquet(rules)
        return
    names = header(rules.path)
    for part in blocks.parts(rules.path) if only is None else [only]:
        for block in blocks.of_part(rules.path, *part):
            content = block.content.split(b"\n", 1)[-1] if block.lines == 0 else block.content
            texts = parse(content, names, delimiter(rules.path))
            yield {name: texts[name] for name in rules.columns}


def _of_parquet(rules: TableRules) -> Iterator[Texts]:
    with parquet.ParquetFile(source(rules.path)) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=rules.columns):
            yield {name: _as_text(batch.column(name)) for name in rules.columns}


def _as_text(values: pa.Array) -> pa.StringArray:
    distinct = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    texts = pa.array(as_texts(distinct.dictionary), pa.string())
    return pc.fill_null(texts.take(distinct.indices), "")


def explain(spec: TablesSpec, cause: Exception | None = None) -> NoReturn:
    """Read the tables again and raise the `DatasetError` that says what is wrong with them."""
    look_at(table_rules(spec), sys.maxsize)
    raise DatasetError(
        f"The tables of {spec.interactions} cannot be read ({cause}), though each row is well formed. Write them again."
    ) from cause
