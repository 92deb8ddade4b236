"""Criteo's files, parsed block by block by a fast and strict parser; only a file with a malformed row is examined
line by line.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from features.schema import CRITEO
from features.values import is_number
from training.datasets import gzipped
from training.datasets.described.opening import require_utf8
from training.datasets.described.texts import text_array
from training.datasets.described.typed import numbers
from training.datasets.errors import (
    BadRowsError,
    DatasetError,
    EmptyDatasetError,
    MalformedRowError,
    require_both_classes,
)
from training.datasets.gzipped import is_gzip
from training.engines.reading.opened import Opened
from training.kernels.hashed import Fields

_NAMES = [CRITEO.label, *CRITEO.features]
_PARSE = csv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False, ignore_empty_lines=False)
_TEXTS = csv.ConvertOptions(column_types=dict.fromkeys(_NAMES, pa.string()), strings_can_be_null=True, null_values=[""])


def parse(block: bytes) -> Fields:
    """The rows in a block of whole lines; raises `BadRowsError` if a row is malformed."""
    # One block, as Arrow would otherwise split the lines into its own blocks.
    read = csv.ReadOptions(column_names=_NAMES, use_threads=False, block_size=max(1, len(block)))
    try:
        table = csv.read_csv(pa.BufferReader(block), read, _PARSE, _TEXTS).combine_chunks()
    except pa.ArrowInvalid as error:
        raise BadRowsError(str(error)) from error
    columns = {name: pa.concat_arrays([*table.column(name).chunks, pa.nulls(0, pa.string())]) for name in _NAMES}
    label = columns[CRITEO.label]
    if not pc.all(pc.is_in(label, text_array(["0", "1"])), min_count=0).as_py():
        raise BadRowsError("a label that is neither 0 nor 1")
    return Fields(
        label=pc.equal(label, "1").cast(pa.int8()).to_numpy(),
        numeric=[numbers(columns[name]) for name in CRITEO.numeric],
        categorical=[columns[name].fill_null("") for name in CRITEO.categorical],
    )


FIELDS = 1 + len(CRITEO.features)


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
        files = ", ".join(map(str, paths))
        if not found["rows"]:
            raise EmptyDatasetError(f"There is no row in {files}. Give a file with rows.")
        require_both_classes(files, rows=found["rows"], clicks=found["clicks"])

    packed = {file: is_gzip(file) for file in paths}
    return Opened(
        schema=CRITEO,
        pieces=[
            partial(_fields, file, *part, packed=packed[file])
            for file in paths
            for part in gzipped.parts(file, packed=packed[file])
        ],
        files=paths,
        check=check_all,
    )


def _fields(file: Path, start: int, end: int, *, packed: bool) -> Iterator[Fields]:
    """The rows that begin in a range of a file's bytes; raises a `DatasetError` for a malformed row or damaged file."""
    lines = 0
    try:
        with gzipped.open_bytes(file, packed=packed) as stream:
            for block in gzipped.whole_lines(stream, start, end):
                try:
                    yield parse(block)
                except BadRowsError as error:
                    raise _explained(file, packed=packed) from error
                lines += block.count(b"\n")
    except gzipped.DAMAGED as error:
        raise gzipped.truncated(file, f"after line {lines} it cannot be read ({error})") from error


def _explained(file: Path, *, packed: bool) -> DatasetError:
    """The error for the first malformed row of a file."""
    with gzipped.open_bytes(file, packed=packed) as stream:
        for number, line in enumerate(stream, start=1):
            if wrong := complaint(line.decode(errors="replace").rstrip("\r\n")):
                return MalformedRowError(f"{file}, line {number}: {wrong}")
    require_utf8(file)
    return DatasetError(f"{file} cannot be read, though each line is well formed.")
