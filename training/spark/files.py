"""The files of a table as Spark reads them: one frame for all that are alike, whatever their number.

Spark reads the lines of text files and the columns of Parquet files. What they mean is told by the same functions as on
engine local, which run over Spark's batches.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.pandas.types import from_arrow_schema

from training.errors import DatasetError
from training.spark.paths import to_read
from training.tables.delta import write_copy
from training.tables.files import TableFile, folder_values
from training.tables.opening import first_row, open_bytes, readable
from training.tables.texts import Chunk, changed, load, tops
from training.tables.typed import TableRules, of_each

LINE = "value"
"""Spark's column of a text file's lines."""
FILE, START, ROW = "_file", "_start", "_row"
"""The file that a row comes from, where Spark began to read in it, and a number that grows with the rows."""
NUMBER = "_number_of_file"
"""The number of that file among those of the table, in the order in which engine local reads them."""
LOOKED_AT_ONCE = 16
"""How many files' columns are read at a time; on a volume each read waits for the network."""
_SCHEME = re.compile("^[a-z]+:/+")
_BLANK = "^[ \t\r]*$"
_WHOLE = {"uint8": pa.int16(), "uint16": pa.int32(), "uint32": pa.int64(), "uint64": pa.decimal128(20, 0)}
_DIGITS = 38
"""How many a decimal of Spark has at most."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads batches of Spark's rows of files like `file` as the `used` columns, and what else they have.

    `names` are a text file's columns, and `first` its first line; `types` are the columns of a Parquet file, and
    `has_int96` tells whether its times have 96 bits, as Spark writes them unless it is told not to. `numbers` has the
    `NUMBER` of each file by its path, where rows have an order.
    """

    file: TableFile
    used: Sequence[str]
    names: Sequence[str] = ()
    first: bytes = b""
    types: Sequence[pa.Field] = ()
    has_int96: bool = False
    numbers: Mapping[str, int] = field(default_factory=dict)

    def columns(self, batch: pa.RecordBatch) -> tuple[dict[str, pa.Array], int]:
        """The rows' columns, and how many lines are the same as the first, which names them; raises like
        `training.tables.texts.Chunk`.
        """
        rows, named = batch, 0
        if self.file.text.line_breaks and self.file.is_text:
            content, named = _without_first(batch, self.first)
        elif self.file.has_lines:
            rows, named = _with_row(batch, self.first)
            content = joined(rows.column(LINE)).to_pybytes()
        else:
            content = self._as_stored(rows)
        own = [name for name in self.used if name not in self.file.folder_values]
        found = Chunk(file=self.file, names=own, rows=content, before=0, header=self.names).columns()
        others = {name: rows.column(name) for name in (START, ROW) if name in rows.schema.names}
        if self.numbers:
            others[NUMBER] = self._numbers(rows.column(FILE))
        for name in self.file.folder_values:
            others[name] = of_each(rows.column(FILE), partial(_of_folder, name=name), pa.string())
        return {**found, **others}, named

    def _as_stored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [_as_stored(batch.column(_column(at)), one.type) for at, one in enumerate(self.types)]
        return pa.RecordBatch.from_arrays(columns, names=[one.name for one in self.types])

    def _numbers(self, files: pa.StringArray) -> pa.Int64Array:
        """0 for all whose path Spark writes in a way that is not known here."""
        return of_each(files, lambda file: self.numbers.get(_SCHEME.sub("/", unquote(file)), 0), pa.int64())


def _without_first(batch: pa.RecordBatch, first: bytes) -> tuple[bytes, int]:
    """What is in whole files, without their first lines, which are counted."""
    wholes = [one.removeprefix(b"\xef\xbb\xbf") for one in batch.column(LINE).cast(pa.binary()).to_pylist()]
    rows = [one.partition(b"\n")[2] if first and one.partition(b"\n")[0] == first else one for one in wholes]
    named = sum(one is not whole for one, whole in zip(rows, wholes, strict=True))
    return b"".join(one if one.endswith(b"\n") else one + b"\n" for one in rows), named


def _of_folder(file: str, name: str) -> str:
    return folder_values(unquote(file))[name]


def joined(lines: pa.StringArray) -> pa.Buffer:
    """The lines as they are in a file."""
    whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines.cast(pa.binary()))
    return pc.binary_join(whole, b"\n")[0].as_buffer()


def _with_row(batch: pa.RecordBatch, first: bytes) -> tuple[pa.RecordBatch, int]:
    """The lines that hold a row: no blank ones, and none that are the same as the first, which are counted."""
    lines = batch.column(LINE)
    named = pc.and_(pc.equal(lines.cast(pa.binary()), pa.scalar(first)), pa.scalar(bool(first)))
    rows = batch.filter(pc.invert(pc.or_(named, pc.match_substring_regex(lines, _BLANK))))
    return rows, int(pc.sum(named).as_py() or 0)


def read(session: SparkSession, rules: TableRules, copies: Path) -> Iterator[tuple[DataFrame, Reader]]:
    """A table's rows, those of a Delta table by a copy as Parquet in the folder `copies`."""
    alike = dict[object, list[tuple[TableFile, Reader]]]()
    files = [part for file in rules.files for part in (_copied(file, copies) if file.delta else [file])]
    with ThreadPoolExecutor(LOOKED_AT_ONCE) as pool:
        for file, reader in zip(files, pool.map(lambda file: _reader(file, rules), files), strict=True):
            types = (str(reader.types), reader.has_int96)
            shape = (*file.folder_values, reader.names, reader.first, *types, file.is_json)
            alike.setdefault(shape, []).append((file, reader))
    numbers = {str(file.path.resolve()): number for number, file in enumerate(files)} if rules.one_row_per else {}
    for group in alike.values():
        paths, reader = [to_read(file.path.resolve()) for file, _ in group], replace(group[0][1], numbers=numbers)
        yield _frame(session, paths, reader), reader


def _copied(file: TableFile, copies: Path) -> list[TableFile]:
    if file.delta and not copies.exists():
        write_copy(file.path, file.delta, copies)
    return [replace(file, path=path, delta=None) for path in sorted(copies.glob("*.parquet"))]


def _reader(file: TableFile, rules: TableRules) -> Reader:
    file = replace(file, lookups=tuple(replace(one, loaded=load(one)) for one in file.lookups))
    if file.is_json:
        return Reader(file=file, used=rules.columns)
    with readable(file):
        if file.is_text:
            with open_bytes(file.path) as stream:
                first = b"" if file.text.columns else stream.readline().removeprefix(b"\xef\xbb\xbf").rstrip(b"\n")
            return Reader(file=file, used=rules.columns, names=tuple(first_row(file)), first=first)
        with parquet.ParquetFile(file.path) as opened:
            types, stored = opened.schema_arrow.remove_metadata(), opened.schema
    fields = [types.field(name) for name in tops(file.stored(rules.columns), types)]
    has_int96 = any(stored.column(at).physical_type == "INT96" for at in range(len(stored)))
    return Reader(file=file, used=rules.columns, types=fields, has_int96=has_int96)


def _frame(session: SparkSession, paths: list[str], reader: Reader) -> DataFrame:
    """The files' rows: their lines, or the used columns by number, each with its place if they have an order."""
    if reader.file.has_lines:
        is_whole = reader.file.is_text and reader.file.text.line_breaks
        how: dict[str, Any] = {"wholetext": True} if is_whole else {"lineSep": "\n"}
        rows, columns = session.read.text(paths, **how), [F.col(LINE)]
    else:
        read = [_as_spark_reads(one, reader) for one in reader.types if not pa.types.is_null(one.type)]
        rows = session.read.schema(from_arrow_schema(pa.schema(read), prefer_timestamp_ntz=True)).parquet(*paths)
        columns = [
            (F.lit(None).cast("string") if pa.types.is_null(one.type) else F.col(_quoted(one.name))).alias(_column(at))
            for at, one in enumerate(reader.types)
        ]
    places = {
        FILE: F.col("_metadata.file_path"),
        START: F.col("_metadata.file_block_start"),
        ROW: F.monotonically_increasing_id(),
    }
    names = [FILE, START, ROW] if reader.numbers else [FILE] if reader.file.folder_values else []
    return rows.select(*columns, *(places[name].alias(name) for name in names))


def _column(at: int) -> str:
    return f"_{at}"


def _as_spark_reads(field: pa.Field, reader: Reader) -> pa.Field:
    """A column of a Parquet file with the types as which Spark reads it; raises `DatasetError` if it cannot."""

    def read_as(kind: pa.DataType) -> pa.DataType:
        if _is_unknown(kind):
            raise DatasetError(
                f"{reader.file.path}, column {field.name}: Spark cannot read the type {kind}. Write it as text, or "
                "train with `training.engine: local`."
            )
        if pa.types.is_fixed_size_binary(kind):
            return pa.binary()
        if pa.types.is_time32(kind):
            return pa.int32()
        is_fine = pa.types.is_timestamp(kind) and kind.unit == "ns"
        if is_fine and reader.has_int96:
            return pa.timestamp("us", "UTC")
        if is_fine or pa.types.is_time64(kind) or pa.types.is_duration(kind):
            return pa.int64()
        return _WHOLE.get(str(kind), kind)

    return pa.field(field.name, changed(field.type, read_as))


def _is_unknown(kind: pa.DataType) -> bool:
    is_long = pa.types.is_decimal(kind) and int(kind.precision) > _DIGITS
    return is_long or pa.types.is_float16(kind) or pa.types.is_null(kind)


def _as_stored(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """What Spark reads as another type, as it is stored."""
    return values if pa.types.is_null(kind) else values.cast(changed(kind, lambda inner: inner))


def _quoted(name: str) -> str:
    """A name for Spark, which would take some for paths."""
    return "`" + name.replace("`", "``") + "`"
