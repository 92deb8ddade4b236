"""Criteo's files, parsed block by block by a fast and strict parser; only a block with a malformed row is examined line
by line.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from features.schema import CRITEO
from features.values import is_number
from training.datasets.described.opening import require_utf8
from training.datasets.errors import (
    DatasetError,
    EmptyDatasetError,
    MalformedRowError,
    TruncatedFileError,
    require_both_classes,
)
from training.datasets.gzipped import DAMAGED, is_gzip, truncated
from training.engines.reading import blocks
from training.engines.reading.opened import Opened, Piece
from training.kernels.hashed import Fields
from training.kernels.tables import NotNumbersError, numbers

_NAMES = [CRITEO.label, *CRITEO.features]
_PARSE = csv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False, ignore_empty_lines=False)
_TEXTS = csv.ConvertOptions(column_types=dict.fromkeys(_NAMES, pa.string()), strings_can_be_null=True, null_values=[""])


_CHECKED = [CRITEO.label, *CRITEO.numeric]
_CHECKED_TEXTS = csv.ConvertOptions(
    column_types=dict.fromkeys(_CHECKED, pa.string()),
    include_columns=_CHECKED,
    strings_can_be_null=True,
    null_values=[""],
)


class BadRowsError(ValueError):
    """A block with a row in another format. Callers that know the file name the row; users never see this error."""


def parse(block: pa.Buffer) -> Fields:
    """The rows in a block of whole lines; raises `BadRowsError` if a row is malformed."""
    with _as_bad_rows():
        columns = _columns(block, _TEXTS)
        return Fields(
            label=_label(columns),
            numeric=[numbers(columns[name]) for name in CRITEO.numeric],
            categorical=[columns[name].fill_null("") for name in CRITEO.categorical],
        )


def check(block: bytes) -> None:
    """Raise what `parse` would raise, in a third of the time, since categories are only checked for ASCII."""
    if not block.isascii():
        parse(pa.py_buffer(block))
        return
    with _as_bad_rows():
        columns = _columns(pa.py_buffer(block), _CHECKED_TEXTS)
        _label(columns)
        for name in CRITEO.numeric:
            numbers(columns[name])


@contextmanager
def _as_bad_rows() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, NotNumbersError) as error:
        raise BadRowsError(str(error)) from error


def _columns(block: pa.Buffer, texts: csv.ConvertOptions) -> dict[str, pa.StringArray]:
    # One block, as Arrow would otherwise split the lines into its own blocks.
    read = csv.ReadOptions(column_names=_NAMES, use_threads=False, block_size=max(1, block.size))
    table = csv.read_csv(pa.BufferReader(block), read, _PARSE, texts).combine_chunks()
    return {name: _column(table, name) for name in table.column_names}


def _label(columns: Mapping[str, pa.StringArray]) -> npt.NDArray[np.int8]:
    label = columns[CRITEO.label]
    if not pc.all(pc.is_in(label, pa.array(["0", "1"])), min_count=0).as_py():
        raise BadRowsError("a label that is neither 0 nor 1")
    found: npt.NDArray[np.int8] = pc.equal(label, "1").cast(pa.int8()).to_numpy()
    return found


def _column(table: pa.Table, name: str) -> pa.StringArray:
    (chunk,) = table.column(name).chunks or [pa.array([], pa.string())]
    return chunk


FIELDS = 1 + len(CRITEO.features)


def no_rows(files: Sequence[Path]) -> EmptyDatasetError:
    """The error for files without rows."""
    return EmptyDatasetError(f"There is no row in {', '.join(map(str, files))}. Give a file with rows.")


def cut_off(file: Path, line: int, error: Exception) -> TruncatedFileError:
    """The error for a file that can't be read after this line."""
    return truncated(file, f"after line {line} it cannot be read ({error})")


def complaint(line: str) -> str | None:
    """What is wrong with a row and what to do about it, or None."""
    fields = line.split("\t")
    if len(fields) != FIELDS:
        return (
            f"{len(fields)} tab-separated fields instead of {FIELDS} (a label, {len(CRITEO.numeric)} numbers, "
            f"{len(CRITEO.categorical)} categories). Correct or remove the row."
        )
    if fields[0] not in {"0", "1"}:
        return f"the label is {fields[0]!r}, but it must be 0 or 1. Correct or remove the row."
    for name, field in zip(CRITEO.numeric, fields[1:], strict=False):
        if field and not is_number(field):
            return f"{field!r} in the numeric column {name} is not a number. Correct the field or leave it empty."
    return None


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
