"""A fast and strict parser for blocks of Criteo's tab-separated rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from features.schema import CRITEO
from training.kernels.hashed import Fields
from training.kernels.numbers import NotNumbersError, numbers

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
    with _explained():
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
    with _explained():
        columns = _columns(pa.py_buffer(block), _CHECKED_TEXTS)
        _label(columns)
        for name in CRITEO.numeric:
            numbers(columns[name])


@contextmanager
def _explained() -> Iterator[None]:
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
