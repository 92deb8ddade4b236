"""Text files, plain or gzip, in blocks of whole lines. Several processes can share the blocks of a plain file."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from training.datasets.gzipped import is_gzip

BLOCK_BYTES = 16 << 20
"""Bytes of text in memory at a time: about 65,000 Criteo rows."""


@dataclass(frozen=True, kw_only=True)
class LineBlock:
    """Whole lines of `file`. The number of lines before them is counted only on request."""

    file: Path
    content: bytes
    start: int
    """Byte offset in a plain file."""
    lines: int | None
    """How many lines precede it, if known."""

    def lines_before(self) -> int:
        """How many lines of the file precede it."""
        if self.lines is not None:
            return self.lines
        with self.file.open("rb") as stream:
            pieces = (min(BLOCK_BYTES, self.start - done) for done in range(0, self.start, BLOCK_BYTES))
            return sum(stream.read(size).count(b"\n") for size in pieces)


def parts(file: Path) -> list[tuple[int, int]]:
    """Byte ranges of the file that processes can read separately with `of_part`."""
    size = file.stat().st_size
    if is_gzip(file):
        return [(0, size)]
    return [(start, min(start + BLOCK_BYTES, size)) for start in range(0, size, BLOCK_BYTES)]


def of_part(file: Path, start: int, end: int) -> Iterator[LineBlock]:
    """The lines that begin in a byte range of the file."""
    if is_gzip(file):
        yield from _of_gzip(file)
        return
    with file.open("rb") as stream:
        first, after = _line_start(stream, start), _line_start(stream, end)
        stream.seek(first)
        content = stream.read(after - first)
    if content:
        yield LineBlock(file=file, content=content, start=first, lines=0 if first == 0 else None)


def _line_start(stream: BinaryIO, position: int) -> int:
    """The offset of the first line that begins at or after `position`."""
    if position == 0:
        return 0
    stream.seek(position - 1)
    stream.readline()
    return stream.tell()


def _of_gzip(file: Path) -> Iterator[LineBlock]:
    lines = 0
    with gzip.open(file) as stream:
        rest = b""
        while more := stream.read(BLOCK_BYTES):
            end = more.rfind(b"\n") + 1
            content, rest = (rest + more[:end], more[end:]) if end else (b"", rest + more)
            if content:
                yield LineBlock(file=file, content=content, start=0, lines=lines)
                lines += content.count(b"\n")
        if rest:
            yield LineBlock(file=file, content=rest, start=0, lines=lines)
