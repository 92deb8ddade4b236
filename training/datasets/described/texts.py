"""Reads a table's fields as text, in chunks of rows: CSV and TSV, plain or gzip, and Parquet.

A missing value is the empty text. A whole number in a column of floats has no `.0`.
"""

import csv
import gzip
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from training.datasets.described.lines import BLANK_LINE, BadLinesError, parse
from training.datasets.errors import DatasetError, EncodingError, MalformedRowError
from training.datasets.gzipped import DAMAGED, truncated
from training.files import opened, source

ROWS = 2_000
"""Rows of a chunk that is read row by row. 50,000 take twice as long, as they do not fit into a processor's cache."""
BLOCK_BYTES = 4 << 20
"""Bytes of text that Arrow splits at a time."""
_SHOWN_BYTES = 20

csv.field_size_limit(sys.maxsize)  # Spark has no limit either


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some rows: the fields of each column, the rows' places, and malformed rows that were left out.

    A place is a line of a text file, or a row of a Parquet file, counted from 1, int64[n].
    """

    places: npt.NDArray[np.int64]
    columns: Mapping[str, pa.StringArray]
    misshapen: list[tuple[int, str]] = field(default_factory=list)


class Table:
    """The rows of a table in chunks, with the columns `names`; `whole` tells afterwards whether all were read.

    With `characters`, only about this much text from the file's beginning is read.
    """

    def __init__(self, path: Path, names: Sequence[str], characters: int = sys.maxsize) -> None:
        """Iterating reads the file, and raises the fitting `DatasetError` if it cannot be read."""
        self.path = path
        self.whole = True
        self._names = names
        self._characters = characters

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks, from the file's beginning."""
        self.whole = True
        with readable(self.path):
            yield from self._of_text() if is_text(self.path) else self._of_parquet()

    def _of_text(self) -> Iterator[Chunk]:
        """Blocks split by Arrow, and from the first block with malformed lines on, line by line."""
        with open_bytes(self.path) as stream:
            first = stream.readline()
            header = next(csv.reader([first.decode("utf-8-sig")], delimiter=delimiter(self.path)))
            read, lines = len(first), 1
            while read <= self._characters and (content := _whole_lines(stream, self._characters + 1 - read)):
                try:
                    columns = parse(content, header, delimiter(self.path))
                except BadLinesError:
                    stream.seek(read)
                    yield from self._by_line(TextIOWrapper(stream, encoding="utf-8", newline=""), header, read, lines)
                    return
                yield Chunk(places=_places(content, lines), columns={name: columns[name] for name in self._names})
                read, lines = read + len(content), lines + content.count(b"\n")
            self.whole = not stream.read(1)

    def _by_line(self, stream: TextIO, header: Sequence[str], read: int, lines: int) -> Iterator[Chunk]:
        """The rest of the file after `read` characters and `lines` lines."""
        reader = csv.reader(self._counted(stream, read), delimiter=delimiter(self.path))
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
                yield self._chunk(header, rows, places, misshapen)
                rows, places, misshapen = [], [], []
        yield self._chunk(header, rows, places, misshapen)

    def _counted(self, stream: TextIO, read: int) -> Iterator[str]:
        for line in stream:
            if read > self._characters:
                self.whole = False
                return
            read += len(line)
            # A line with only blanks and tabs is no row, even if the tabs separate empty fields.
            yield line if line.strip(" \t\r\n") else "\n"

    def _chunk(
        self, header: Sequence[str], rows: list[list[str]], places: list[int], misshapen: list[tuple[int, str]]
    ) -> Chunk:
        columns = dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(header, ())
        return Chunk(
            places=np.array(places, dtype=np.int64),
            columns={name: text_array(columns[name]) for name in self._names},
            misshapen=misshapen,
        )

    def _of_parquet(self) -> Iterator[Chunk]:
        read = rows = 0
        with parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(ROWS, columns=list(self._names)):
                if read > self._characters:
                    self.whole = False
                    return
                columns = {name: text_array(as_texts(batch.column(name))) for name in self._names}
                yield Chunk(places=np.arange(rows + 1, rows + batch.num_rows + 1), columns=columns)
                rows += batch.num_rows
                read += batch.nbytes


def _whole_lines(stream: BinaryIO, most: int) -> bytes:
    """The next whole lines: about `BLOCK_BYTES`, or all that begin in the next `most` bytes."""
    content = stream.read(min(BLOCK_BYTES, most))
    return content if content.endswith(b"\n") else content + stream.readline()


def _places(content: bytes, before: int) -> npt.NDArray[np.int64]:
    """The line numbers of the rows in `content`, int64[n], which `before` lines precede."""
    if not BLANK_LINE.search(content.removesuffix(b"\n")):
        return before + 1 + np.arange(content.count(b"\n") + (not content.endswith(b"\n")))
    blank = [not line.strip(b" \t\r") for line in content.removesuffix(b"\n").split(b"\n")]
    return before + 1 + np.flatnonzero(~np.array(blank))


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """Like `pa.array`, which would import pandas for a list."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def as_texts(values: pa.Array) -> list[str]:
    """The values of a Parquet column as text, "" for null and for NaN."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    elif pa.types.is_duration(values.type):  # of nanoseconds, Arrow makes what pandas has, where that is imported
        values = values.cast(pa.duration("us"), safe=False)
    shown: Callable[[object], str] = str
    if pa.types.is_floating(values.type):
        shown = _float
    elif pa.types.is_boolean(values.type):
        shown = _boolean
    elif pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        values = values.cast(pa.string())
    return ["" if value is None else shown(value) for value in values.to_pylist()]


def _float(value: object) -> str:
    number = float(str(value))
    if number != number:  # noqa: PLR0124 - NaN alone differs from itself
        return ""
    return str(int(number)) if number.is_integer() and abs(number) < 1 << 53 else str(number)


def _boolean(value: object) -> str:
    return "true" if value else "false"


def delimiter(path: Path) -> str:
    """The character between the fields of a text file."""
    return "\t" if ".tsv" in path.suffixes else ","


def is_text(path: Path) -> bool:
    """Whether a table is CSV or TSV and not Parquet."""
    return path.suffix != ".parquet"


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A CSV or TSV file, plain or gzip, for the `csv` module; a byte order mark is skipped."""
    with TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="") as stream:
        yield stream


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns errors of reading a table into the fitting `DatasetError`."""
    try:
        yield
    except DAMAGED as error:
        raise truncated(path, str(error)) from error
    except csv.Error as error:
        raise MalformedRowError(f"{path} cannot be split into fields: {error}. Correct it.") from error
    except UnicodeDecodeError as error:
        raise _undecodable(path, error) from error
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path} cannot be read: {error}. Write it again.") from error


def require_utf8(path: Path) -> None:
    """Raise `EncodingError` with the line if a text file is not UTF-8."""
    with readable(path), open_text(path) as stream:
        while stream.read(1 << 20):
            pass


def _undecodable(path: Path, error: UnicodeDecodeError) -> EncodingError:
    found = f"{path} is not UTF-8 ({error.reason})"
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as wrong:
                near = line[max(0, wrong.start - _SHOWN_BYTES) : wrong.start + _SHOWN_BYTES]
                found = (
                    f"{path} is not UTF-8: line {number}, byte {wrong.start + 1} is 0x{line[wrong.start]:02x}, "
                    f"near {near.decode('cp1252', 'replace').strip()!r} if it is Windows-1252"
                )
                break
    return EncodingError(f"{found}. Convert it: iconv --from-code WINDOWS-1252 --to-code UTF-8 OLD > NEW.")


def open_bytes(path: Path) -> BinaryIO:
    """Open a file's bytes, decompressed if it is gzip."""
    return gzip.open(source(path), "rb") if path.suffix == ".gz" else opened(path)  # type: ignore[return-value] # reads lines
