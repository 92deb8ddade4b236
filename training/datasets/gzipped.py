"""Text files, plain or gzip: whole lines in blocks, and the error for truncated ones."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from training.datasets.errors import TruncatedFileError

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


def truncated(file: Path, reason: str) -> TruncatedFileError:
    """The error for a file that cannot be read to its end."""
    return TruncatedFileError(f"The gzip file {file} is truncated or damaged: {reason}. Copy or download it again.")
