"""Reads a table's files in chunks of rows: CSV, TSV and JSON lines, plain or gzip, as texts, Parquet with its types.

A missing value is null, NaN or the empty text. A struct's field is the column `a.b`, a number in a list `a.0`, another
list one text. JSON lines are decoded to Python's values, which keeps each text as it is written. Arrow would make times
of texts that look like times (https://arrow.apache.org/docs/python/json.html, "Automatic Type Inference").
"""

import csv
import io
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from training.errors import BadRowsError, ColumnError, DuplicateKeyError, EmptyDatasetError
from training.tables import opening
from training.tables.files import PARTNER, Lookup, TableFile
from training.tables.keys import KnownKeys
from training.tables.opening import first_row, open_bytes, open_rows, readable, whole_lines

BATCH_ROWS = 20_000
"""Rows of a Parquet file in memory at a time."""
_SHOWN_BYTES = 60
_ALIKE = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_integer,
    pa.types.is_boolean,
)
"""The types whose values Arrow and `text_of` write alike."""
Plain = list[str | float]
"""A column's values as texts, or as floats where they are numbers with a point."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The rows of a chunk with their places, and malformed ones with what is wrong with them.

    A place is a line of a text file, or a row of a Parquet file, counted from 1.
    """

    places: Sequence[int]
    columns: Mapping[str, Plain]
    misshapen: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some rows of a file, with the columns `names` that are not split yet: whole lines, or rows of a Parquet file.

    `before` lines or rows of what is read precede them; `header` names the fields of CSV.
    """

    file: TableFile
    names: Sequence[str]
    rows: bytes | pa.RecordBatch
    before: int
    header: Sequence[str] = ()

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.rows) if isinstance(self.rows, bytes) else int(self.rows.nbytes)

    def columns(self) -> dict[str, pa.Array]:
        """The columns by name, n values each.

        Raises `BadRowsError` if a line is malformed, or a category is a fraction, and `ColumnError` if a value in a
        list contains the separator.
        """
        if isinstance(self.rows, pa.RecordBatch):
            count, found = self.rows.num_rows, _of_batch(self.rows, self._stored, self.file)
        elif self.file.is_json:
            objects = records(self.rows)
            count, found = len(objects), _as_texts(_of_objects(objects, self._stored, self.file), self.file)
        else:
            found = parse(self.rows, self.header, self.file)
            count = len(found[self.header[0]])
        found = looked_up(found, self.file.lookups)
        same = pa.array(np.zeros(count, np.int32))
        found |= {name: text_array([text]).take(same) for name, text in self.file.folder_values.items()}
        return {name: found[name] for name in self.names}

    def lines(self) -> Lines:
        """The rows one by one, which takes long; malformed ones are left out. Raises `ColumnError` like `columns`."""
        if isinstance(self.rows, pa.RecordBatch):
            places = list(range(self.before + 1, self.before + 1 + self.rows.num_rows))
            columns, misshapen = _plain_of_batch(self.rows, self._stored, self.file), list[tuple[int, str]]()
        elif self.file.is_json:
            objects, places, misshapen = objects_by_line(self.rows, self.before)
            columns = _of_objects(objects, self._stored, self.file)
        else:
            rows, places, misshapen = _fields_by_line(self.rows.decode(self.file.text.encoding), self)
            columns = {name: [row[at] for row in rows] for at, name in enumerate(self.header)}
        if self.file.lookups:
            known = {name: text_array([*map(text_of, column)]) for name, column in columns.items()}
            columns = {name: texts.to_pylist() for name, texts in looked_up(known, self.file.lookups).items()}
        for name, text in self.file.folder_values.items():
            columns[name] = [text] * len(places)
        return Lines(places=places, columns=columns, misshapen=misshapen)

    def texts(self) -> dict[str, pa.StringArray]:
        """The columns as texts, without malformed rows. Raises the fitting `DatasetError` if they cannot be read."""
        with readable(self.file):
            try:
                return {name: texts_of(values) for name, values in self.columns().items()}
            except BadRowsError:
                found = self.lines().columns
                return {name: text_array([*map(text_of, found[name])]) for name in self.names}

    @property
    def _stored(self) -> list[str]:
        return self.file.stored(self.names)


def chunks(file: TableFile, names: Sequence[str], block_bytes: int | None = None) -> Iterator[Chunk]:
    """The rows of a file, or of its `part`, with these columns, text in blocks of this size if one is given.

    Raises the fitting `DatasetError` if the file cannot be read.
    """
    with readable(file):
        if not file.has_lines:
            yield from _batches(file, names)
            return
        start, end = file.part or (0, sys.maxsize)
        if file.text.line_breaks:
            block_bytes = file.size if file.path.suffix != ".gz" else sys.maxsize
        header = [] if file.is_json else first_row(file)
        with open_bytes(file.path) as stream:
            before = 0
            if start == 0 and header and not file.text.columns:
                start, before = len(stream.readline()), 1
            for lines in whole_lines(stream, start, end, block_bytes):
                yield Chunk(file=file, names=names, rows=lines, before=before, header=header)
                before += lines.count(b"\n")


class Beginning:
    """The chunks of a table's files up to about so many characters; `whole` tells afterwards whether these are all."""

    def __init__(self, files: Sequence[TableFile], names: Sequence[str], characters: int = sys.maxsize) -> None:
        """Nothing is read yet."""
        self.whole = True
        self._files = files
        self._names = names
        self._characters = characters

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks, from the first file's beginning."""
        left = self._characters
        for file in self._files:
            for chunk in chunks(file, self._names, min(self._characters, opening.BLOCK_BYTES)):
                if left <= 0:
                    self.whole = False
                    return
                yield chunk
                left -= chunk.size


def _batches(file: TableFile, names: Sequence[str]) -> Iterator[Chunk]:
    before = 0
    with open_rows(file) as opened:
        columns = tops(file.stored(names), opened.schema_arrow)
        groups = None if file.part is None else range(*file.part)
        for batch in opened.iter_batches(BATCH_ROWS, row_groups=groups, columns=columns):
            yield Chunk(file=file, names=names, rows=batch, before=before)
            before += batch.num_rows


def looked_up(columns: Mapping[str, pa.Array], lookups: Sequence[Lookup]) -> dict[str, pa.Array]:
    """The columns with what their rows get from others: see `Lookup`. Raises the fitting `DatasetError` if several rows
    of a joined table have one key, or those of a group several values.
    """
    found = dict(columns)
    for lookup in lookups:
        known, values = lookup.loaded or load(lookup)
        places = known.find(texts_of(found[lookup.key]))
        if not lookup.fills:
            others = found.get(PARTNER)
            found[PARTNER] = places.is_valid() if others is None else pc.and_(others, places.is_valid())
        for name in lookup.names:
            given = pc.fill_null(pc.take(values[name], places).combine_chunks(), "")
            if lookup.fills:
                own = texts_of(found[name])
                given = pc.if_else(pc.equal(own, ""), given, own)
            found[name] = given
    return found


def load(lookup: Lookup) -> tuple[KnownKeys, pa.Table]:
    """The keys of a lookup, which are all different, and the texts of its columns; raises like `looked_up`."""
    return _loaded(lookup, tuple(file.path.stat().st_mtime_ns for file in lookup.files))


@lru_cache(maxsize=8)
def _loaded(lookup: Lookup, _versions: tuple[int, ...]) -> tuple[KnownKeys, pa.Table]:
    names = [lookup.key, *(name for name in lookup.names if name != lookup.key)]
    none = pa.table({name: pa.array([], pa.string()) for name in names})
    rows = pa.concat_tables([none, *(pa.table(chunk.texts()) for chunk in Beginning(lookup.files, names))])
    rows = rows.filter(pc.not_equal(rows[lookup.key], ""))
    if not rows.num_rows:
        raise EmptyDatasetError(f"{lookup.files[0].path} has no row with {lookup.key}. Give a file with rows in it.")
    if not lookup.fills:
        if again := _repeated(rows[lookup.key]):
            raise DuplicateKeyError(
                f"{lookup.files[0].path} has several rows with the {lookup.key} {again[0]!r}, one of {len(again):,} "
                "such keys, and `join` needs one row for each. Name another key, or remove the others."
            )
        return KnownKeys.of(rows[lookup.key].combine_chunks()), rows
    groups = pa.table({lookup.key: pc.unique(rows[lookup.key])})
    for name in lookup.names:
        values = rows.filter(pc.not_equal(rows[name], "")).group_by([lookup.key, name]).aggregate([])
        if again := _repeated(values[lookup.key]):
            one, other, *_ = values.filter(pc.equal(values[lookup.key], again[0]))[name].to_pylist()
            raise ColumnError(
                f"{lookup.files[0].path}: the rows with the {lookup.key} {again[0]!r} have several values of {name}, "
                f"{one!r} and {other!r}, and `fill` needs one. Leave {name} out of it, or correct the rows."
            )
        places = pc.index_in(groups[lookup.key], values[lookup.key].combine_chunks())
        groups = groups.append_column(name, pc.take(values[name], places))
    return KnownKeys.of(groups[lookup.key].combine_chunks()), groups


def _repeated(keys: pa.ChunkedArray) -> list[str]:
    counts = pc.value_counts(keys)
    return list(counts.field("values").filter(pc.greater(counts.field("counts"), 1)).to_pylist())


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """Like `pa.array`, which would import pandas for a list."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


_EMPTY = text_array([""])[0]


def texts_of(values: pa.Array) -> pa.StringArray:
    """The values of a Parquet column as text, as `text_of` writes each: "" for null and for NaN.

    Arrow writes most of them itself, and Python each distinct one of the others.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return pc.coalesce(texts_of(values.dictionary).take(values.indices), _EMPTY)
    if any(is_one(kind) for is_one in _ALIKE):
        return pc.coalesce(values.cast(pa.string()), _EMPTY)
    if pa.types.is_floating(kind):
        values = doubles(values)
    distinct = values.dictionary_encode(null_encoding="encode")
    return text_array([text_of(value) for value in _of_python(distinct.dictionary)]).take(distinct.indices)


def doubles(floats: pa.Array) -> pa.DoubleArray:
    """Floats as float64: a fraction of float32 as it is written, 0.1, and not 0.10000000149011612."""
    found = floats.cast(pa.float64())
    if not pa.types.is_float32(floats.type):
        return found
    return pc.if_else(pc.equal(pc.floor(found), found), found, floats.cast(pa.string()).cast(pa.float64()))


def _of_python(values: pa.Array) -> list[Any]:
    """The values as Python's. Raises `ArrowInvalid` for a time that Python does not know, or in no known zone."""
    if "[ns" in str(values.type):
        values = values.cast(changed(values.type, _without_nanoseconds), safe=False)
    try:
        return list(values.to_pylist())
    except (KeyError, OverflowError, ValueError) as error:
        raise pa.ArrowInvalid(f"a {values.type} has no text: {error}") from error


def _without_nanoseconds(kind: pa.DataType) -> pa.DataType:
    """For times of nanoseconds Arrow makes what pandas has, where that is imported."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.duration("us") if pa.types.is_duration(kind) else kind


def changed(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """A type with the types inside it changed, any of whose values may be missing."""
    if pa.types.is_dictionary(kind):
        return changed(kind.value_type, change)
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, changed(field.type, change)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(changed(kind.key_type, change), changed(kind.item_type, change))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(changed(kind.value_type, change))
    return change(kind)


def text_of(value: object) -> str:
    """One value as text."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case list() | dict():
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)


def _float(number: float) -> str:
    if number != number:  # noqa: PLR0124 - NaN alone differs from itself
        return ""
    return str(int(number)) if number.is_integer() and abs(number) < 1 << 53 else str(number)


def is_fraction(value: object) -> bool:
    """Whether a value is a number with a fraction, whose text the engines would write in different ways."""
    return isinstance(value, float) and math.isfinite(value) and not value.is_integer()


BLANK_LINE = re.compile(rb"^[ \t\r]*(?:\n|\Z)", re.MULTILINE)
"""A blank line is no row, even if tabs separate fields."""
IN_QUOTES = "a line break in quotes"
_LONE_RETURN = re.compile(rb"\r(?!\n|\Z)")


def parse(block: bytes, names: Sequence[str], file: TableFile) -> dict[str, pa.StringArray]:
    """The texts of each column in a block of whole lines of `file`, "" for an empty field; lines of blanks alone are
    none.

    Raises `BadRowsError` when a line has another number of fields, or one with a line break in quotes, or is not in
    the file's encoding.
    """
    try:
        block = block if file.text.encoding == "utf-8" else block.decode(file.text.encoding).encode()
    except UnicodeDecodeError as error:
        raise BadRowsError(str(error)) from error
    breaks = file.text.line_breaks
    rows = block if breaks else BLANK_LINE.sub(b"", block)
    if not rows.strip():
        return {name: pa.nulls(0, pa.string()) for name in names}
    if not breaks and _LONE_RETURN.search(rows):
        raise BadRowsError("a line that ends as on no system of today, or a line break in quotes")
    read = arrow_csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(rows))
    split = arrow_csv.ParseOptions(
        delimiter=file.separator,
        quote_char=file.text.quote or False,
        ignore_empty_lines=breaks,
        newlines_in_values=breaks,
    )
    texts = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    try:
        table = arrow_csv.read_csv(pa.BufferReader(rows), read, split, texts)
    except pa.ArrowInvalid as error:
        raise BadRowsError(str(error)) from error
    # An unclosed quote extends its field over everything that follows, at least the last line break.
    open_quote = "\n" in table.column(names[-1])[-1].as_py()
    if not breaks and (open_quote or table.num_rows != rows.count(b"\n") + (not rows.endswith(b"\n"))):
        raise BadRowsError(IN_QUOTES)
    return {name: pa.concat_arrays([*table.column(name).chunks, pa.nulls(0, pa.string())]) for name in names}


def _fields_by_line(text: str, chunk: Chunk) -> tuple[list[list[str]], list[int], list[tuple[int, str]]]:
    """The rows of CSV lines and their places, and malformed ones."""
    rows, places, misshapen = [], [], []

    def whole() -> Iterator[str]:
        for place, line in enumerate(io.StringIO(text, newline="\n"), start=chunk.before + 1):
            is_row = bool(line.strip(" \t\r\n"))  # not with only blanks and tabs, even if these separate empty fields
            if is_row and "\r" in line.removesuffix("\n").removesuffix("\r"):
                misshapen.append((place, "a carriage return that ends no line"))
                is_row = False
            yield line if is_row else "\n"

    breaks = chunk.file.text.line_breaks
    reader = csv.reader(io.StringIO(text, newline="") if breaks else whole(), **chunk.file.csv_options)
    last = 0
    for row in reader:
        place, last = last + 1, reader.line_num
        if not breaks and (last > place or (row and "\n" in row[-1])):
            misshapen.append((chunk.before + place, IN_QUOTES))
        elif len(row) == len(chunk.header):
            rows.append(row)
            places.append(chunk.before + place)
        elif row:
            misshapen.append((chunk.before + place, f"{len(row)} fields instead of {len(chunk.header)}"))
    return rows, places, misshapen


Record = dict[str, Any]
_DECODER = msgspec.json.Decoder(Record)


def records(block: bytes) -> list[Record]:
    """The objects in a block of whole lines; raises `BadRowsError` if a line is no JSON object."""
    try:
        return _DECODER.decode_lines(BLANK_LINE.sub(b"", block.removeprefix(b"\xef\xbb\xbf")))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRowsError(str(error)) from error


def objects_by_line(block: bytes, before: int) -> tuple[list[Record], list[int], list[tuple[int, str]]]:
    """The objects in lines of JSON and their places, and lines without one."""
    objects, places, misshapen = [], [], []
    for place, line in enumerate(block.splitlines(keepends=True), start=before + 1):
        try:
            found = records(line)
            objects += found
            places += [place] * len(found)
        except BadRowsError:
            misshapen.append((place, repr(line[:_SHOWN_BYTES].decode(errors="replace").strip())))
    return objects, places, misshapen


def _of_objects(objects: Sequence[Record], names: Sequence[str], file: TableFile) -> dict[str, Plain]:
    """These columns of JSON's objects."""
    lengths, found = _lengths(names), dict[str, Plain]()
    for name in names:
        steps = name.split(".")
        values = (one[name] if name in one else _inside(one, steps, lengths) for one in objects)
        found[name] = _plain(values, name, file)
    return found


def _of_batch(batch: pa.RecordBatch, names: Sequence[str], file: TableFile) -> dict[str, pa.Array]:
    """These columns of a Parquet file; raises `BadRowsError` for a fraction among the categories."""
    found = {name: batch.column(name) for name in names if not _is_nested(name, batch.schema)}
    for name in file.categories:
        if name in found and pa.types.is_floating(found[name].type):
            numbers = found[name].to_numpy(zero_copy_only=False)
            if np.any(np.floor(numbers) < numbers):
                raise BadRowsError(f"a fraction in {name}")
    return found | _as_texts(_nested_of_batch(batch, names, file), file)


def _plain_of_batch(batch: pa.RecordBatch, names: Sequence[str], file: TableFile) -> dict[str, Plain]:
    found = _nested_of_batch(batch, names, file)
    for name in names:
        if name not in found:
            values = batch.column(name)
            is_float = pa.types.is_floating(values.type)
            values = doubles(values).to_numpy(zero_copy_only=False) if is_float else texts_of(values)
            found[name] = values.tolist()
    return found


def _nested_of_batch(batch: pa.RecordBatch, names: Sequence[str], file: TableFile) -> dict[str, Plain]:
    """Those of these columns of a Parquet file that are in structs and lists."""
    nested = [name for name in names if _is_nested(name, batch.schema)]
    lengths, known, found = _lengths(nested), dict[str, list[object]](), dict[str, Plain]()
    for name in nested:
        top = top_of(name, batch.schema.names)
        if top not in known:
            known[top] = _of_python(batch.column(top))
        steps = name.removeprefix(top).split(".")[1:]
        found[name] = _plain((_inside(value, steps, lengths, top) for value in known[top]), name, file)
    return found


def _is_nested(name: str, schema: pa.Schema) -> bool:
    """Whether a column is not simply one of a Parquet file with this schema."""
    return name not in schema.names or pa.types.is_nested(schema.field(name).type)


def _as_texts(columns: Mapping[str, Plain], file: TableFile) -> dict[str, pa.StringArray]:
    for name in file.categories:
        if any(map(is_fraction, columns.get(name, ()))):
            raise BadRowsError(f"a fraction in {name}")
    return {name: text_array([*map(text_of, values)]) for name, values in columns.items()}


def _plain(values: Iterable[object], name: str, file: TableFile) -> Plain:
    """Each value as a text or a float, a list as its values with their separator in between."""
    separator = dict(file.lists).get(name)

    def plain(value: object) -> str | float:
        if isinstance(value, float):
            return value
        if separator is None or not isinstance(value, list):
            return text_of(value)
        texts = [text_of(one) for one in value]
        if wrong := next((text for text in texts if separator in text), None):
            raise ColumnError(
                f"{file.path}, column {name}: the value {wrong!r} of a list contains the separator {separator!r}. Name "
                "another separator, which is in no value."
            )
        return separator.join(texts)

    return [plain(value) for value in values]


def tops(names: Sequence[str], schema: pa.Schema) -> list[str]:
    """The columns of a Parquet file that hold these."""
    return list(dict.fromkeys(top_of(name, schema.names) for name in names))


def flat_names(schema: pa.Schema) -> dict[str, bool]:
    """The columns of a Parquet file, those of its structs by their fields, and whether each holds lists."""
    return dict(_flat(schema, ""))


def _flat(fields: Iterable[pa.Field], before: str) -> Iterator[tuple[str, bool]]:
    for one in fields:
        if pa.types.is_struct(one.type):
            yield from _flat((one.type.field(at) for at in range(one.type.num_fields)), f"{before}{one.name}.")
        else:
            yield f"{before}{one.name}", pa.types.is_nested(one.type)


def top_of(name: str, names: Iterable[str]) -> str:
    """The column that holds `name`: itself, or what is before one of its points."""
    known = set(names)
    parts = name.split(".")
    tops = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((top for top in tops if top in known), name)


def names_in(rows: Iterable[Record]) -> dict[str, bool]:
    """The columns of records, in order, and whether each holds lists."""
    found: dict[str, bool] = {}
    for row in rows:
        for name, is_list in _named(row, ""):
            found[name] = found.get(name, False) or is_list
    return {name: is_list for name, is_list in found.items() if not any(one.startswith(f"{name}.") for one in found)}


def _named(row: Mapping[str, object], before: str) -> Iterator[tuple[str, bool]]:
    for key, value in row.items():
        if isinstance(value, dict) and value:
            yield from _named(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", isinstance(value, list)


def _inside(value: object, steps: Sequence[str], lengths: Mapping[str, int], name: str = "") -> object:
    """The value at a path of fields and places in lists; None if there is nothing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit():
            value = value[int(step)] if len(value) == lengths[name] else f"a list of {len(value)}"
        else:
            return None
        name = f"{name}.{step}" if name else step
    return value


def _lengths(names: Sequence[str]) -> Counter[str]:
    """How many numbers a list has, by its column, if the columns are those of `length`."""
    return Counter(name.rpartition(".")[0] for name in names if name.rpartition(".")[2].isdigit())
