"""Reads the fields of a table's file as text, in chunks of rows: CSV, TSV and JSON lines, plain or gzip, and Parquet.

A missing value is the empty text. A whole number in a column of floats has no `.0`.
"""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import BinaryIO, TextIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.datasets.described.files import TableFile
from training.datasets.described.lines import BLANK_LINE, BadLinesError, parse
from training.datasets.described.nested import columns_of, nested_of, parse_json, records, tops
from training.datasets.described.opening import beginning, open_bytes, open_rows, readable
from training.datasets.described.values import text_array, texts_of, with_folders

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
