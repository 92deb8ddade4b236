"""The values of a table's columns as text, "" for missing."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.datasets.described.files import TableFile

_ALIKE = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_integer,
    pa.types.is_boolean,
)
"""The types whose values Arrow and `text_of` write alike."""
_PLAIN_FROM, _PLAIN_BELOW = pa.DoubleArray.from_buffers(pa.float64(), 2, [None, pa.py_buffer(np.array([1e-4, 1e9]))])
"""Between these, neither Arrow nor Python writes a number with an exponent."""
_FALSE = pa.BooleanArray.from_buffers(pa.bool_(), 1, [None, pa.py_buffer(b"\0")])[0]


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """Like `pa.array`, which would import pandas for a list."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


_EMPTY = text_array([""])[0]


def with_folders(
    columns: Mapping[str, pa.StringArray], file: TableFile, names: Sequence[str], rows: int
) -> dict[str, pa.StringArray]:
    """The columns `names` of these rows of `file`: those that its folders name, and others from `columns`."""
    same = pa.Int32Array.from_buffers(pa.int32(), rows, [None, pa.py_buffer(bytes(4 * rows))])
    folders = {name: text_array([text]).take(same) for name, text in file.folder_values.items()}
    return {name: folders[name] if name in folders else columns[name] for name in names}


def texts_of(values: pa.Array) -> pa.StringArray:
    """The values of a Parquet column as text, as `text_of` writes each: "" for null and for NaN.

    Arrow writes most of them itself, and Python each distinct one of the others.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return pc.coalesce(texts_of(values.dictionary).take(values.indices), _EMPTY)
    if any(is_one(kind) for is_one in _ALIKE):
        return pc.coalesce(values.cast(pa.string()), _EMPTY)
    if pa.types.is_floating(kind):
        return _of_floats(values.cast(pa.float64()))
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_duration(kind):  # of nanoseconds, Arrow makes what pandas has, where that is imported
        values = values.cast(pa.duration("us"), safe=False)
    return _one_by_one(values)


def _of_floats(values: pa.DoubleArray) -> pa.StringArray:
    """Arrow and Python write the same shortest digits, but exponents of other sizes, and minus zero, in other ways."""
    size = pc.abs(values)
    plain = pc.and_(pc.greater_equal(size, _PLAIN_FROM), pc.less(size, _PLAIN_BELOW))
    odd = pc.invert(pc.coalesce(plain, _FALSE))
    return pc.replace_with_mask(values.cast(pa.string()), odd, _one_by_one(values.filter(odd)))


def _one_by_one(values: pa.Array) -> pa.StringArray:
    distinct = values.dictionary_encode(null_encoding="encode")
    return text_array([text_of(value) for value in distinct.dictionary.to_pylist()]).take(distinct.indices)


def text_of(value: object) -> str:
    """One value as text."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case list() | dict():
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)


def _float(number: float) -> str:
    if number != number:  # noqa: PLR0124 - NaN alone differs from itself
        return ""
    return str(int(number)) if number.is_integer() and abs(number) < 1 << 53 else str(number)
