"""Splits a block of a text table, without its header, into fields."""

import re
from collections.abc import Sequence

import pyarrow as pa
from pyarrow import csv

from training.datasets.described.files import TableFile

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
    read = csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(rows))
    split = csv.ParseOptions(delimiter=file.separator, quote_char=file.text.quote or False, ignore_empty_lines=False)
    texts = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    try:
        table = csv.read_csv(pa.BufferReader(rows), read, split, texts)
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
