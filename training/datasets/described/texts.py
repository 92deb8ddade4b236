"""Reads the fields of a table's files as text, in chunks of rows: CSV, TSV and JSON lines, plain or gzip, and Parquet.

A missing value is the empty text. A whole number in a column of floats has no `.0`. A struct's field is the column
`a.b`, a number in a list `a.0`, another list one text. JSON lines are decoded to Python's values, which keeps each text
as it is written. Arrow would make times of texts that look like times
(https://arrow.apache.org/docs/python/json.html, "Automatic Type Inference").
"""

import csv
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any, BinaryIO, TextIO

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from training.datasets.described.files import TableFile
from training.datasets.described.opening import beginning, open_bytes, open_rows, readable
from training.datasets.errors import ColumnError

_ALIKE = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_integer,
    pa.types.is_boolean,
)
"""The types whose values Arrow and `text_of` write alike."""
_PLAIN_FROM, _PLAIN_BELOW = pa.DoubleArray.from_buffers(pa.float64(), 2, [None, pa.py_buffer(np.array([1e-4, 1e9]))])
"""Between these, neither Arrow nor Python writes a number with an exponent."""
_FALSE = pa.BooleanArray.from_buffers(pa.bool_(), 1, [None, pa.py_buffer(b"\0")])[0]


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """Like `pa.array`, which would import pandas for a list."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


_EMPTY = text_array([""])[0]


def with_folders(
    columns: Mapping[str, pa.StringArray], file: TableFile, names: Sequence[str], rows: int
) -> dict[str, pa.StringArray]:
    """The columns `names` of these rows of `file`: those that its folders name, and others from `columns`."""
    same = pa.Int32Array.from_buffers(pa.int32(), rows, [None, pa.py_buffer(bytes(4 * rows))])
    folders = {name: text_array([text]).take(same) for name, text in file.folder_values.items()}
    return {name: folders[name] if name in folders else columns[name] for name in names}


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
        return _of_floats(values.cast(pa.float64()))
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_duration(kind):  # of nanoseconds, Arrow makes what pandas has, where that is imported
        values = values.cast(pa.duration("us"), safe=False)
    return _one_by_one(values)


def _of_floats(values: pa.DoubleArray) -> pa.StringArray:
    """Arrow and Python write the same shortest digits, but exponents of other sizes, and minus zero, in other ways."""
    size = pc.abs(values)
    plain = pc.and_(pc.greater_equal(size, _PLAIN_FROM), pc.less(size, _PLAIN_BELOW))
    odd = pc.invert(pc.coalesce(plain, _FALSE))
    return pc.replace_with_mask(values.cast(pa.string()), odd, _one_by_one(values.filter(odd)))


def _one_by_one(values: pa.Array) -> pa.StringArray:
    distinct = values.dictionary_encode(null_encoding="encode")
    return text_array([text_of(value) for value in distinct.dictionary.to_pylist()]).take(distinct.indices)


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


BLANK_LINE = re.compile(rb"^[ \t\r]*(?:\n|\Z)", re.MULTILINE)
"""A blank line is no row, even if tabs separate fields."""
_LONE_RETURN = re.compile(rb"\r(?!\n|\Z)")


class BadLinesError(ValueError):
    """Lines with more or fewer fields than the header. Callers that know the file name them; users never see this."""


def parse(block: bytes, names: Sequence[str], file: TableFile) -> dict[str, pa.StringArray]:
    """The texts of each column in a block of whole lines of `file`, "" for an empty field; lines of blanks alone are
    none.

    Raises `BadLinesError` when a line has another number of fields, or one with a line break in quotes, or is not in
    the file's encoding.
    """
    rows = BLANK_LINE.sub(b"", _in_utf8(block, file.text.encoding))
    if not rows:
        return {name: pa.nulls(0, pa.string()) for name in names}
    if _LONE_RETURN.search(rows):
        raise BadLinesError("a line that ends as on no system of today, or a line break in quotes")
    read = arrow_csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(rows))
    split = arrow_csv.ParseOptions(
        delimiter=file.separator, quote_char=file.text.quote or False, ignore_empty_lines=False
    )
    texts = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    try:
        table = arrow_csv.read_csv(pa.BufferReader(rows), read, split, texts)
    except pa.ArrowInvalid as error:
        raise BadLinesError(str(error)) from error
    # An unclosed quote extends its field over everything that follows, at least the last line break.
    open_quote = "\n" in table.column(names[-1])[-1].as_py()
    if open_quote or table.num_rows != rows.count(b"\n") + (not rows.endswith(b"\n")):
        raise BadLinesError("a line break in quotes")
    return {name: pa.concat_arrays([*table.column(name).chunks, pa.nulls(0, pa.string())]) for name in names}


def _in_utf8(block: bytes, encoding: str) -> bytes:
    if encoding == "utf-8":
        return block
    try:
        return block.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise BadLinesError(str(error)) from error


Record = dict[str, Any]
_DECODER = msgspec.json.Decoder(Record)


def records(block: bytes) -> list[Record]:
    """The objects in a block of whole lines; raises `BadLinesError` if a line is no JSON object."""
    try:
        return _DECODER.decode_lines(BLANK_LINE.sub(b"", block.removeprefix(b"\xef\xbb\xbf")))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLinesError(str(error)) from error


def parse_json(block: bytes, names: Sequence[str], file: TableFile) -> dict[str, pa.StringArray]:
    """The texts of these columns in a block of whole lines of `file`; raises `BadLinesError` like `records`."""
    rows = records(block)

    def at(name: str) -> Callable[[Record], object]:
        steps = name.split(".")
        return lambda row: row[name] if name in row else _inside(row, steps, lengths)

    lengths = _lengths(names)
    return {name: _texts_of_each(map(at(name), rows), name, file) for name in names}


def columns_of(batch: pa.RecordBatch, names: Sequence[str], file: TableFile) -> dict[str, pa.StringArray]:
    """The texts of these nested columns of a Parquet file's batch."""
    lengths, known = _lengths(names), dict[str, list[object]]()
    found = {}
    for name in names:
        top = top_of(name, batch.schema.names)
        values = known.setdefault(top, batch.column(top).to_pylist())
        steps = name.removeprefix(top).split(".")[1:]
        found[name] = _texts_of_each((_inside(value, steps, lengths, top) for value in values), name, file)
    return found


def nested_of(names: Sequence[str], schema: pa.Schema) -> list[str]:
    """Those of the names that are not simply a column of a Parquet file with this schema."""
    return [name for name in names if name not in schema.names or pa.types.is_nested(schema.field(name).type)]


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


def _texts_of_each(values: Iterable[object], name: str, file: TableFile) -> pa.StringArray:
    separator = dict(file.lists).get(name)
    if separator is None:
        return text_array([text_of(value) for value in values])
    return text_array(
        [_joined(value, separator, name, file) if isinstance(value, list) else text_of(value) for value in values]
    )


def _joined(values: Sequence[object], separator: str, name: str, file: TableFile) -> str:
    texts = [text_of(value) for value in values]
    if wrong := next((text for text in texts if separator in text), None):
        raise ColumnError(
            f"{file.path}, column {name}: the value {wrong!r} of a list contains the separator {separator!r}. Name "
            "another separator, which is in no value."
        )
    return separator.join(texts)


ROWS = 2_000
"""Rows of a chunk that is read row by row. 50,000 take twice as long, as they do not fit into a processor's cache."""
BLOCK_BYTES = 4 << 20
"""Bytes of text that are split at a time."""
_SHOWN_BYTES = 60


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some rows: the fields of each column, the rows' places, and malformed rows that were left out.

    A place is a line of a text file, or a row of a Parquet file, counted from 1, int64[n].
    """

    places: npt.NDArray[np.int64]
    columns: Mapping[str, pa.StringArray]
    misshapen: Sequence[tuple[int, str]] = ()


class Table:
    """The rows of a table's file in chunks, with the columns `names`.

    `whole` tells afterwards whether all rows were read, and `read` about how much text. With `characters`, only about
    this much text from the file's beginning is read.
    """

    def __init__(self, file: TableFile, names: Sequence[str], characters: int = sys.maxsize) -> None:
        """Iterating reads the file, and raises the fitting `DatasetError` if it cannot be read."""
        self.file = file
        self.whole = True
        self.read = 0
        self._names = names
        self._characters = characters

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks, from the file's beginning."""
        self.whole = True
        self.read = 0
        with readable(self.file):
            if self.file.is_json:
                yield from self._of_json()
            else:
                yield from self._of_text() if self.file.is_text else self._of_parquet()

    def _of_text(self) -> Iterator[Chunk]:
        """Blocks split by Arrow, and from the first block with malformed lines on, line by line."""
        with open_bytes(self.file.path) as stream:
            first = stream.readline()
            header = next(csv.reader([first.decode(beginning(self.file))], **self.file.csv_options))
            self.read, lines = len(first), 1
            while self.read <= self._characters and (content := _whole_lines(stream, self._characters + 1 - self.read)):
                try:
                    columns = parse(content, header, self.file)
                except BadLinesError:
                    stream.seek(self.read)
                    yield from self._by_line(self._decoded(stream), header, lines)
                    return
                places = _places(content, lines)
                yield self._chunk(places, columns)
                self.read, lines = self.read + len(content), lines + content.count(b"\n")
            self.whole = not stream.read(1)

    def _decoded(self, stream: BinaryIO) -> TextIO:
        return TextIOWrapper(stream, encoding=self.file.text.encoding, newline="")

    def _chunk(
        self,
        places: npt.NDArray[np.int64],
        columns: Mapping[str, pa.StringArray],
        misshapen: Sequence[tuple[int, str]] = (),
    ) -> Chunk:
        """The rows at these places, with the columns that are asked for."""
        found = with_folders(columns, self.file, self._names, len(places))
        return Chunk(places=places, columns=found, misshapen=misshapen)

    def _by_line(self, stream: TextIO, header: Sequence[str], lines: int) -> Iterator[Chunk]:
        """The rest of the file after `lines` lines."""
        reader = csv.reader(self._counted(stream), **self.file.csv_options)
        rows, places, misshapen = [], [], []
        last = 0
        for row in reader:
            place, last = last + 1, reader.line_num
            if len(row) == len(header) and last == place:
                rows.append(row)
                places.append(lines + place)
            elif row:
                fault = "a line break in quotes" if last > place else f"{len(row)} fields"
                misshapen.append((lines + place, fault))
            if len(rows) == ROWS:
                yield self._of_rows(header, rows, places, misshapen)
                rows, places, misshapen = [], [], []
        yield self._of_rows(header, rows, places, misshapen)

    def _counted(self, stream: TextIO) -> Iterator[str]:
        for line in stream:
            if self.read > self._characters:
                self.whole = False
                return
            self.read += len(line)
            # A line with only blanks and tabs is no row, even if the tabs separate empty fields.
            yield line if line.strip(" \t\r\n") else "\n"

    def _of_rows(
        self, header: Sequence[str], rows: list[list[str]], places: list[int], misshapen: list[tuple[int, str]]
    ) -> Chunk:
        columns = dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(header, ())
        texts = {name: text_array(columns[name]) for name in self._names if name in columns}
        return self._chunk(np.array(places, dtype=np.int64), texts, misshapen)

    def _of_json(self) -> Iterator[Chunk]:
        """Blocks of lines, from one with a malformed line on one by one."""
        lines = 0
        stored = self.file.stored(self._names)
        with open_bytes(self.file.path) as stream:
            while self.read <= self._characters and (content := _whole_lines(stream, self._characters + 1 - self.read)):
                places, wrong = _places(content, lines), list[tuple[int, str]]()
                try:
                    columns = parse_json(content, stored, self.file)
                except BadLinesError:
                    good, wrong = _sifted(content, lines)
                    places = np.array([place for place, _ in good], dtype=np.int64)
                    columns = parse_json(b"".join(line for _, line in good), stored, self.file)
                yield self._chunk(places, columns, wrong)
                self.read, lines = self.read + len(content), lines + content.count(b"\n")
            self.whole = not stream.read(1)

    def _of_parquet(self) -> Iterator[Chunk]:
        rows = 0
        stored = self.file.stored(self._names)
        with open_rows(self.file) as file:
            nested = nested_of(stored, file.schema_arrow)
            for batch in file.iter_batches(ROWS, columns=tops(stored, file.schema_arrow), use_threads=False):
                if self.read > self._characters:
                    self.whole = False
                    return
                columns = {name: texts_of(batch.column(name)) for name in stored if name not in nested}
                columns |= columns_of(batch, nested, self.file)
                yield self._chunk(np.arange(rows + 1, rows + batch.num_rows + 1), columns)
                rows += batch.num_rows
                self.read += batch.nbytes


class Tables:
    """The files of a table, each as a `Table` that is to be read before the next one.

    `whole` tells afterwards whether all rows were read. With `characters`, only about this much text of the first files
    is read.
    """

    def __init__(self, files: Sequence[TableFile], names: Sequence[str], characters: int = sys.maxsize) -> None:
        """Nothing is read yet."""
        self.whole = True
        self._files = files
        self._names = names
        self._characters = characters

    def __iter__(self) -> Iterator[Table]:
        """The files, from the first one."""
        self.whole, left = True, self._characters
        for number, file in enumerate(self._files):
            if number and left <= 0:
                self.whole = False
                return
            table = Table(file, self._names, left)
            yield table
            self.whole = table.whole
            left -= table.read

    def chunks(self) -> Iterator[Chunk]:
        """The rows of all files."""
        for table in self:
            yield from table


def _whole_lines(stream: BinaryIO, most: int) -> bytes:
    """The next whole lines: about `BLOCK_BYTES`, or all that begin in the next `most` bytes."""
    content = stream.read(min(BLOCK_BYTES, most))
    return content if content.endswith(b"\n") else content + stream.readline()


def _sifted(content: bytes, before: int) -> tuple[list[tuple[int, bytes]], list[tuple[int, str]]]:
    """The lines with a JSON object, and those without one, by their number; `before` lines precede them."""
    good, wrong = [], []
    for place, line in enumerate(content.splitlines(keepends=True), start=before + 1):
        try:
            if records(line):
                good.append((place, line))
        except BadLinesError:
            text = line[:_SHOWN_BYTES].decode(errors="replace").strip()
            wrong.append((place, repr(text)))
    return good, wrong


def _places(content: bytes, before: int) -> npt.NDArray[np.int64]:
    """The line numbers of the rows in `content`, int64[n], which `before` lines precede."""
    if not BLANK_LINE.search(content.removesuffix(b"\n")):
        return before + 1 + np.arange(content.count(b"\n") + (not content.endswith(b"\n")))
    blank = [not line.strip(b" \t\r") for line in content.removesuffix(b"\n").split(b"\n")]
    return before + 1 + np.flatnonzero(~np.array(blank))
