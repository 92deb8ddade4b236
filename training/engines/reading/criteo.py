"""Criteo's files, parsed block by block; only a block with a malformed row is examined line by line."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from features.schema import CRITEO
from training.datasets.described.opening import require_utf8
from training.datasets.errors import DatasetError, MalformedRowError, require_both_classes
from training.datasets.gzipped import DAMAGED, is_gzip
from training.datasets.published.lines import complaint, cut_off, no_rows
from training.engines.reading import blocks
from training.engines.reading.opened import Opened, Piece
from training.kernels.criteo import BadRowsError, check, parse
from training.kernels.hashed import Fields


def open_criteo(paths: Sequence[Path]) -> Opened:
    """The rows of these files."""

    def check_all(found: Counter[str]) -> None:
        if not found["rows"]:
            raise no_rows(paths)
        require_both_classes(", ".join(map(str, paths)), rows=found["rows"], clicks=found["clicks"])

    return Opened(
        schema=CRITEO,
        pieces=[
            Piece(
                fields=partial(_fields, file, *part),
                files=(file,),
                check=None if is_gzip(file) else partial(_check, file, *part),
            )
            for file in paths
            for part in blocks.parts(file)
        ],
        files=paths,
        check=check_all,
    )


def _fields(file: Path, start: int, end: int) -> Iterator[Fields]:
    """The rows that begin in a byte range of a file; raises a `DatasetError` for malformed rows or a damaged file."""
    before = 0
    try:
        for block in blocks.of_part(file, start, end):
            try:
                yield parse(pa.py_buffer(block.content))
            except BadRowsError as error:
                raise _explained(block) from error
            before = (block.lines or 0) + block.content.count(b"\n")
    except DAMAGED as error:
        raise cut_off(file, before, error) from error


def _check(file: Path, start: int, end: int) -> None:
    """Raise what `_fields` would raise for a byte range of a plain file."""
    for block in blocks.of_part(file, start, end):
        try:
            check(block.content)
        except BadRowsError as error:
            raise _explained(block) from error


def _explained(block: blocks.LineBlock) -> DatasetError:
    """The error for a block with a malformed row."""
    before = block.lines_before()
    lines = block.content.decode(errors="replace").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=before + 1):
        if wrong := complaint(line.rstrip("\r")):
            return MalformedRowError(f"{block.file}, line {number}: {wrong}")
    require_utf8(block.file)
    return DatasetError(f"{block.file} cannot be read from line {before + 1} on, though each line is well formed.")
