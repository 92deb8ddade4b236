"""Lists and structs as columns of text: a struct's field is `a.b`, a number in a list `a.0`, another list one text.

JSON lines are read here too: they are decoded to Python's values, which keeps each text as it is written. Arrow would
make times of texts that look like times (https://arrow.apache.org/docs/python/json.html, "Automatic Type Inference").
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from training.datasets.described.files import TableFile
from training.datasets.described.lines import BLANK_LINE, BadLinesError
from training.datasets.described.values import text_array, text_of
from training.datasets.errors import ColumnError

Record = dict[str, Any]
_DECODER = msgspec.json.Decoder(Record)


def records(block: bytes) -> list[Record]:
    """The objects in a block of whole lines; raises `BadLinesError` if a line is no JSON object."""
    try:
        return _DECODER.decode_lines(BLANK_LINE.sub(b"", block.removeprefix(b"\xef\xbb\xbf")))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLinesError(str(error)) from error


def parse_json(block: bytes, names: Sequence[str], file: TableFile) -> dict[str, pa.StringArray]:
    """The texts of these columns in a block of whole lines of `file`; raises `BadLinesError` like `records`."""
    rows = records(block)

    def at(name: str) -> Callable[[Record], object]:
        steps = name.split(".")
        return lambda row: row[name] if name in row else _inside(row, steps, lengths)

    lengths = _lengths(names)
    return {name: _texts(map(at(name), rows), name, file) for name in names}


def columns_of(batch: pa.RecordBatch, names: Sequence[str], file: TableFile) -> dict[str, pa.StringArray]:
    """The texts of these nested columns of a Parquet file's batch."""
    lengths, known = _lengths(names), dict[str, list[object]]()
    found = {}
    for name in names:
        top = top_of(name, batch.schema.names)
        values = known.setdefault(top, batch.column(top).to_pylist())
        steps = name.removeprefix(top).split(".")[1:]
        found[name] = _texts((_inside(value, steps, lengths, top) for value in values), name, file)
    return found


def nested_of(names: Sequence[str], schema: pa.Schema) -> list[str]:
    """Those of the names that are not simply a column of a Parquet file with this schema."""
    return [name for name in names if name not in schema.names or pa.types.is_nested(schema.field(name).type)]


def tops(names: Sequence[str], schema: pa.Schema) -> list[str]:
    """The columns of a Parquet file that hold these."""
    return list(dict.fromkeys(top_of(name, schema.names) for name in names))


def flat_names(schema: pa.Schema) -> dict[str, bool]:
    """The columns of a Parquet file, those of its structs by their fields, and whether each holds lists."""
    return dict(_flat(schema, ""))


def _flat(fields: Iterable[pa.Field], before: str) -> Iterator[tuple[str, bool]]:
    for one in fields:
        if pa.types.is_struct(one.type):
            yield from _flat((one.type.field(at) for at in range(one.type.num_fields)), f"{before}{one.name}.")
        else:
            yield f"{before}{one.name}", pa.types.is_nested(one.type)


def top_of(name: str, names: Iterable[str]) -> str:
    """The column that holds `name`: itself, or what is before one of its points."""
    known = set(names)
    parts = name.split(".")
    tops = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((top for top in tops if top in known), name)


def names_in(rows: Iterable[Record]) -> dict[str, bool]:
    """The columns of records, in order, and whether each holds lists."""
    found: dict[str, bool] = {}
    for row in rows:
        for name, is_list in _named(row, ""):
            found[name] = found.get(name, False) or is_list
    return {name: is_list for name, is_list in found.items() if not any(one.startswith(f"{name}.") for one in found)}


def _named(row: Mapping[str, object], before: str) -> Iterator[tuple[str, bool]]:
    for key, value in row.items():
        if isinstance(value, dict) and value:
            yield from _named(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", isinstance(value, list)


def _inside(value: object, steps: Sequence[str], lengths: Mapping[str, int], name: str = "") -> object:
    """The value at a path of fields and places in lists; None if there is nothing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit():
            value = value[int(step)] if len(value) == lengths[name] else f"a list of {len(value)}"
        else:
            return None
        name = f"{name}.{step}" if name else step
    return value


def _lengths(names: Sequence[str]) -> Counter[str]:
    """How many numbers a list has, by its column, if the columns are those of `length`."""
    return Counter(name.rpartition(".")[0] for name in names if name.rpartition(".")[2].isdigit())


def _texts(values: Iterable[object], name: str, file: TableFile) -> pa.StringArray:
    separator = dict(file.lists).get(name)
    if separator is None:
        return text_array([text_of(value) for value in values])
    return text_array(
        [_joined(value, separator, name, file) if isinstance(value, list) else text_of(value) for value in values]
    )


def _joined(values: Sequence[object], separator: str, name: str, file: TableFile) -> str:
    texts = [text_of(value) for value in values]
    if wrong := next((text for text in texts if separator in text), None):
        raise ColumnError(
            f"{file.path}, column {name}: the value {wrong!r} of a list contains the separator {separator!r}. Name "
            "another separator, which is in no value."
        )
    return separator.join(texts)
