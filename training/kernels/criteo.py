"""Criteo's tab-separated rows from a block of bytes: parsed fast, and strictly."""

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from features.schema import CRITEO
from training.kernels.hashed import Fields
from training.kernels.numbers import NotNumbersError, numbers

_NAMES = [CRITEO.label, *CRITEO.features]
_PARSE = csv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False, ignore_empty_lines=False)
_TEXTS = csv.ConvertOptions(column_types=dict.fromkeys(_NAMES, pa.string()), strings_can_be_null=True, null_values=[""])


class BadRowsError(ValueError):
    """A block in which some row is not one of Criteo's. Who knows the file says which: no user ever sees this."""


def parse(block: pa.Buffer) -> Fields:
    """The rows in a block of whole lines; raises `BadRowsError` when one of them is not right."""
    # One block: Arrow would otherwise cut the lines into pieces of its own.
    read = csv.ReadOptions(column_names=_NAMES, use_threads=False, block_size=max(1, block.size))
    try:
        table = csv.read_csv(pa.BufferReader(block), read, _PARSE, _TEXTS).combine_chunks()
        columns = {name: _column(table, name) for name in _NAMES}
        label = columns[CRITEO.label]
        if not pc.all(pc.is_in(label, pa.array(["0", "1"])), min_count=0).as_py():
            raise BadRowsError("a label that is neither 0 nor 1")
        return Fields(
            label=pc.equal(label, "1").cast(pa.int8()).to_numpy(),
            numeric=[numbers(columns[name]) for name in CRITEO.numeric],
            categorical=[columns[name].fill_null("") for name in CRITEO.categorical],
        )
    except (pa.ArrowInvalid, NotNumbersError) as error:
        raise BadRowsError(str(error)) from error


def _column(table: pa.Table, name: str) -> pa.StringArray:
    (chunk,) = table.column(name).chunks or [pa.array([], pa.string())]
    return chunk
