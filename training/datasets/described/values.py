"""The values of a table's columns as text, "" for missing."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from training.datasets.described.files import TableFile


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """Like `pa.array`, which would import pandas for a list."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def with_folders(
    columns: Mapping[str, pa.StringArray], file: TableFile, names: Sequence[str], rows: int
) -> dict[str, pa.StringArray]:
    """The columns `names` of these rows of `file`: those that its folders name, and others from `columns`."""
    same = pa.array(np.zeros(rows, np.int32))
    folders = {name: text_array([text]).take(same) for name, text in file.folder_values.items()}
    return {name: folders[name] if name in folders else columns[name] for name in names}


def as_texts(values: pa.Array) -> list[str]:
    """The values of a Parquet column as text, "" for null and for NaN."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    elif pa.types.is_duration(values.type):  # of nanoseconds, Arrow makes what pandas has, where that is imported
        values = values.cast(pa.duration("us"), safe=False)
    elif pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        values = values.cast(pa.string())
    return [text_of(value) for value in values.to_pylist()]


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
