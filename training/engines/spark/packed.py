"""Columns of prepared rows as Spark keeps them: one value of bytes for the lists or texts of a row.

Spark would write and read each number and each text on its own, at ten times the cost.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.kernels.columns import CATEGORIES, NUMBERS, RAW
from training.kernels.hashed import raw, side_by_side

LISTS = {NUMBERS: pa.float64(), CATEGORIES: pa.int64()}
PACKED = {*LISTS, RAW}
"""The columns that are bytes on Spark."""
_NUMBER, _LENGTH = 8, 4
"""The bytes of a number, and of a text's length."""
_NONE = pa.py_buffer(b"")
Offsets = npt.NDArray[np.int32]


def packed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with their `PACKED` columns as bytes."""
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([_packed(name, batch.column(name)) for name in names], names=names)


def unpacked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with their `PACKED` columns as the kernels know them."""
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([_unpacked(name, batch.column(name)) for name in names], names=names)


def packed_types(types: pa.Schema) -> pa.Schema:
    """The columns of `packed` rows."""
    return pa.schema([field.with_type(pa.binary()) if field.name in PACKED else field for field in types])


def _packed(name: str, column: pa.Array) -> pa.Array:
    if name in LISTS:
        return _of_bytes(column.offsets.to_numpy() * np.int32(_NUMBER), column.values.buffers()[1])
    return _of_texts(column.flatten()) if name == RAW else column


def _unpacked(name: str, column: pa.Array) -> pa.Array:
    if name in LISTS and pa.types.is_binary(column.type):
        ends, content = _parts(column)
        numbers = pa.Array.from_buffers(LISTS[name], int(ends[-1]) // _NUMBER, [None, content])
        return pa.ListArray.from_arrays(pa.array(ends // np.int32(_NUMBER)), numbers)
    return raw(_texts_in(column), len(column)) if name == RAW and pa.types.is_binary(column.type) else column


def _of_texts(columns: list[pa.StringArray]) -> pa.BinaryArray:
    """For each row the number of its texts and their lengths, int32, and then the texts."""
    rows, width = len(columns[0]), len(columns)
    ends, content = _parts(side_by_side([column.fill_null("") for column in columns], pa.string()))
    head = np.column_stack([np.full(rows, width, np.int32), np.diff(ends).reshape(rows, width)])
    heads = _of_bytes(np.arange(rows + 1, dtype=np.int32) * _LENGTH * np.int32(1 + width), pa.py_buffer(head))
    return pc.binary_join_element_wise(heads, _of_bytes(ends[::width].copy(), content), b"")


def _texts_in(rows: pa.BinaryArray) -> list[pa.StringArray]:
    """The columns of the texts in at least one row. What precedes a row's texts is passed over as one more of them."""
    ends, content = _parts(rows)
    found = np.frombuffer(content, np.uint8)
    width = int(found[ends[0] :][:_LENGTH].view(np.int32)[0])
    head = np.arange(_LENGTH * (1 + width))
    lengths = found[ends[:-1, np.newaxis] + head].view(np.int32)
    lengths[:, 0] = len(head)
    offsets = np.concatenate([ends[:1], ends[0] + np.cumsum(lengths, dtype=np.int32)])
    texts = pa.Array.from_buffers(pa.string(), lengths.size, [None, pa.py_buffer(offsets), content])
    first = np.arange(len(rows)) * (1 + width)
    return [texts.take(pa.array(first + number)) for number in range(1, 1 + width)]


def _parts(values: pa.BinaryArray) -> tuple[Offsets, pa.Buffer]:
    _, ends, content = values.buffers()
    return np.frombuffer(ends, np.int32, len(values) + 1, _LENGTH * values.offset), content or _NONE


def _of_bytes(ends: Offsets, content: pa.Buffer | None) -> pa.BinaryArray:
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(ends), content or _NONE])
