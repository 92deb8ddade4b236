"""Opens a table's text files, plain or gzip, reads whole lines in blocks, and turns what goes wrong into the fitting
`DatasetError`.
"""

import csv
import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow import parquet

from training.errors import DatasetError, EncodingError, MalformedRowError, TruncatedFileError
from training.tables.delta import DeltaRows
from training.tables.files import TableFile

_SHOWN_BYTES = 20
_CUT_OFF = ("Parquet magic bytes not found", "Parquet file size is")
"""What Arrow says of a Parquet file that ends too early."""

csv.field_size_limit(sys.maxsize)  # Spark has no limit either


def first_row(file: TableFile) -> list[str]:
    """The names of columns in a CSV or TSV file; none if it is empty and the config names none. Raises
    `EncodingError` for a name that is wrong about gzip, and `MalformedRowError` for a line that ends as on no system of
    today.
    """
    _require_honest_name(file.path)
    if file.text.columns:
        return list(file.text.columns)
    encoding = "utf-8-sig" if file.text.encoding == "utf-8" else file.text.encoding  # skips a byte order mark
    with TextIOWrapper(open_bytes(file.path), encoding=encoding, newline="") as stream:
        line = stream.readline()
        if line.endswith("\r") and stream.read(1):
            raise MalformedRowError(
                f"The first line of {file.path} ends with only a carriage return. End lines with a line feed."
            )
        return next(csv.reader(chain([line], stream), **file.csv_options), [])


def _require_honest_name(file: Path) -> None:
    with file.open("rb") as stream:
        start = stream.read(len(START))
    if start == START and file.suffix != ".gz":
        raise EncodingError(f"{file} is gzip, but its name does not end in .gz. Rename it.")
    if start and start != START and file.suffix == ".gz":
        raise EncodingError(f"{file} is not gzip, though its name ends in .gz. Rename it.")


@contextmanager
def readable(file: TableFile) -> Iterator[None]:
    """Turns errors of reading a file into the fitting `DatasetError`."""
    path = file.path
    try:
        yield
    except DAMAGED as error:
        raise TruncatedFileError(
            f"The gzip file {path} is truncated or damaged: {error}. Copy or download it again."
        ) from error
    except csv.Error as error:
        raise MalformedRowError(f"{path} cannot be split into fields: {error}. Correct it.") from error
    except UnicodeDecodeError as error:
        raise _undecodable(file, error) from error
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, pa.ArrowInvalid) and not file.has_lines and any(sign in str(error) for sign in _CUT_OFF):
            raise TruncatedFileError(
                f"{path} is not a complete Parquet file: its end, which lists the columns, is missing. Copy it again."
            ) from error
        raise DatasetError(f"{path} cannot be read: {error}. Write it again.") from error


def _undecodable(file: TableFile, error: UnicodeDecodeError) -> EncodingError:
    name = file.text.encoding.upper()
    found = f"{file.path} is not {name} ({error.reason})"
    with open_bytes(file.path) as stream:
        if stream.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
            return EncodingError(
                f'{file.path} is UTF-16, as Excel\'s "Unicode text" is. Convert it: iconv --from-code UTF-16 --to-code '
                "UTF-8 OLD > NEW."
            )
        stream.seek(0)
        for number, line in enumerate(stream, start=1):
            try:
                line.decode(file.text.encoding)
            except UnicodeDecodeError as wrong:
                near = line[max(0, wrong.start - _SHOWN_BYTES) : wrong.start + _SHOWN_BYTES]
                found = (
                    f"{file.path} is not {name}: line {number}, byte {wrong.start + 1} is 0x{line[wrong.start]:02x}, "
                    f"near {near.decode('cp1252', 'replace').strip()!r} if it is Windows-1252"
                )
                break
    return EncodingError(
        f"{found}. Convert it: iconv --from-code WINDOWS-1252 --to-code UTF-8 OLD > NEW; or, for a table of a dataset "
        f"config, name its encoding: {{path: {file.path.name}, encoding: cp1252}}."
    )


def open_rows(file: TableFile) -> "AbstractContextManager[parquet.ParquetFile | DeltaRows]":
    """A Parquet file or a Delta table."""
    if file.delta is not None:
        return nullcontext(DeltaRows(file.path, file.delta.number))
    return closing(parquet.ParquetFile(file.path))


DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a truncated or damaged gzip file raises."""
START = b"\x1f\x8b"
"""Of a packed file's bytes."""
BLOCK_BYTES = 16 << 20
"""Bytes of text in memory at a time: about 65,000 Criteo rows."""


def open_bytes(file: Path) -> BinaryIO:
    """Open a file's bytes, decompressed if its name says that it is packed."""
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value] # reads lines


def parts(file: Path) -> list[tuple[int, int]]:
    """Ranges of the file's bytes that processes can read separately with `whole_lines`; see `open_bytes`."""
    size = file.stat().st_size
    if file.suffix == ".gz":
        return [(0, sys.maxsize)]
    return [(start, min(start + BLOCK_BYTES, size)) for start in range(0, size, BLOCK_BYTES)]


def whole_lines(stream: BinaryIO, start: int, end: int, block_bytes: int | None = None) -> Iterator[bytes]:
    """The lines that begin in this range of bytes, in blocks of about `block_bytes`, by default `BLOCK_BYTES`."""
    if start:
        stream.seek(start - 1)
        stream.readline()
    while (at := stream.tell()) < end:
        content = stream.read(min(block_bytes or BLOCK_BYTES, end - at))
        if not content:
            return
        yield content if content.endswith(b"\n") else content + stream.readline()
