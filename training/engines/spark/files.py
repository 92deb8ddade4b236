"""The files of a table as Spark reads them: one frame for all that have the same columns, whatever their number.

A column's values come with their type. What is in structs and lists is found by its path, as in
`training.datasets.described.texts`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import ArrayType, DataType, StringType, StructField, StructType, TimestampType

from training.datasets.described.columns import header
from training.datasets.described.delta import write_copy
from training.datasets.described.fields import TableRules
from training.datasets.described.files import NO_VALUE, TableFile
from training.datasets.described.opening import open_rows, readable
from training.datasets.described.texts import top_of, tops
from training.engines.spark.paths import to_read
from training.engines.spark.values import text_of

CORRUPT = "_corrupt"
"""The column with a line that is not split as the header is, or is no JSON object."""
LOOKED_AT_ONCE = 16
"""How many files' columns are read at a time; on a volume each read waits for the network."""
_TEXT = StringType()
_WHOLE = {"uint8": pa.int16(), "uint16": pa.int32(), "uint32": pa.int64(), "uint64": pa.decimal128(20, 0)}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The values of a table's column. `fault` tells rows in which it is no such column; `zone` is a time's."""

    value: Column
    kind: DataType = _TEXT
    zone: str = ""
    fault: Column | None = None

    @property
    def text(self) -> Column:
        """The values as text, "" for null."""
        return text_of(self.value, self.kind, self.zone)


@dataclass(frozen=True, kw_only=True)
class Read:
    """Rows with the used columns by name. `fault` tells rows that could not be read, if there can be any."""

    rows: DataFrame
    cells: Mapping[str, Cell]
    fault: Column | None = None
    has_texts: bool = False


def read(session: SparkSession, rules: TableRules, copies: Path) -> Iterator[Read]:
    """A table's rows; those of a Delta table by a copy as Parquet in the folder `copies`."""
    groups = dict[object, list[TableFile]]()
    files = [part for file in rules.files for part in (_copied(file, copies) if file.delta else [file])]
    with ThreadPoolExecutor(LOOKED_AT_ONCE) as pool:
        for file, shape in zip(files, pool.map(lambda file: _shape(file, rules), files), strict=True):
            groups.setdefault(shape, []).append(file)
    for alike in groups.values():
        first = alike[0]
        of_kind = _of_json if first.is_json else _of_text if first.has_lines else _of_parquet
        found = of_kind(session, alike, rules)
        folders = {name: Cell(value=_folder_value(name)) for name in rules.columns if name in first.folder_values}
        yield replace(found, cells={**found.cells, **folders})


def _copied(file: TableFile, copies: Path) -> list[TableFile]:
    if file.delta and not copies.exists():
        write_copy(file.path, file.delta, copies)
    return [replace(file, path=path, delta=None) for path in sorted(copies.glob("*.parquet"))]


def _shape(file: TableFile, rules: TableRules) -> object:
    """What is equal for files that Spark can read together."""
    folders = tuple(file.folder_values)
    if file.is_json:
        return folders
    if file.is_text:
        return folders, tuple(header(replace(file, name=""))), file.separator, file.text
    return folders, str(_parquet_schema(file, rules))


def _paths(files: Sequence[TableFile]) -> list[str]:
    return [to_read(file.path.resolve()) for file in files]


def _of_text(session: SparkSession, files: Sequence[TableFile], rules: TableRules) -> Read:
    first, names = files[0], header(replace(files[0], name=""))
    # With columns pruned, Spark would not notice rows with too few or too many fields.
    rows = session.read.option("columnPruning", "false").csv(
        _paths(files),
        schema=StructType([StructField(name, _TEXT) for name in [*names, CORRUPT]]),
        sep=first.separator,
        quote=first.text.quote or "",
        escape=first.text.quote or '"',
        encoding=first.text.encoding,
        header=True,
        mode="PERMISSIVE",
        columnNameOfCorruptRecord=CORRUPT,
    )
    cells = {name: Cell(value=F.col(_quoted(name))) for name in first.stored(rules.columns)}
    return Read(rows=rows, cells=cells, fault=F.col(CORRUPT).isNotNull(), has_texts=True)


def _of_json(session: SparkSession, files: Sequence[TableFile], rules: TableRules) -> Read:
    rows = session.read.json(_paths(files), mode="PERMISSIVE", columnNameOfCorruptRecord=CORRUPT)
    fault = F.col(CORRUPT).isNotNull() if CORRUPT in rows.columns else None
    return Read(rows=rows, cells=_cells(rows, files[0].stored(rules.columns), rules), fault=fault)


def _of_parquet(session: SparkSession, files: Sequence[TableFile], rules: TableRules) -> Read:
    types = _parquet_schema(files[0], rules)
    plain = pa.schema(
        [field.with_type(_as_spark_reads(field.type)) for field in types if not pa.types.is_null(field.type)]
    )
    rows = session.read.schema(from_arrow_schema(plain)).parquet(*_paths(files))
    cells = _cells(rows, files[0].stored(rules.columns), rules)
    for field in types:
        if pa.types.is_timestamp(field.type) and field.name in cells:
            cells[field.name] = _time(field)
    return Read(rows=rows, cells=cells)


def _parquet_schema(file: TableFile, rules: TableRules) -> pa.Schema:
    """The columns of a Parquet file that hold used ones."""
    with readable(file), open_rows(file) as opened:
        types = opened.schema_arrow.remove_metadata()
    return pa.schema([types.field(name) for name in tops(file.stored(rules.columns), types)])


def _as_spark_reads(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _as_spark_reads(kind.value_type)
    if pa.types.is_struct(kind):
        fields = (kind.field(at) for at in range(kind.num_fields))
        return pa.struct([(field.name, _as_spark_reads(field.type)) for field in fields])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_as_spark_reads(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.int64()
    return _WHOLE.get(str(kind), kind)


def _time(field: pa.Field) -> Cell:
    name = _quoted(field.name)
    value = F.timestamp_micros(F.expr(f"{name} div 1000")) if field.type.unit == "ns" else F.col(name)
    return Cell(value=value, kind=TimestampType(), zone="+00:00" if field.type.tz else "")


def _cells(rows: DataFrame, names: Sequence[str], rules: TableRules) -> dict[str, Cell]:
    lengths = Counter(name.rpartition(".")[0] for name in names if name.rpartition(".")[2].isdigit())
    return {name: _cell(rows, name, lengths, rules.separators.get(name)) for name in names}


def _cell(rows: DataFrame, name: str, lengths: Mapping[str, int], separator: str | None) -> Cell:
    """A column, or what is at its path in one of the rows' columns; nothing if there is no such column."""
    top = top_of(name, rows.columns)
    if top not in rows.columns:
        return Cell(value=F.lit(None).cast("string"))
    value, kind, fault, path = F.col(_quoted(top)), rows.schema[top].dataType, None, top
    for step in name.removeprefix(top).split(".")[1:]:
        if isinstance(kind, StructType) and step in kind.names:
            value, kind = value.getField(step), kind[step].dataType
        elif isinstance(kind, ArrayType) and step.isdigit():
            fault = F.size(value) != lengths[path]
            value, kind = F.get(value, F.lit(int(step))), kind.elementType
        else:
            return Cell(value=F.lit(None).cast("string"))
        path = f"{path}.{step}"
    if isinstance(kind, ArrayType) and separator:
        return _listed(value, kind.elementType, separator)
    return Cell(value=value, kind=kind, fault=None if fault is None else value.isNotNull() & fault)


def _listed(value: Column, kind: DataType, separator: str) -> Cell:
    """A list as one text of its values."""
    texts = F.transform(value, lambda one: text_of(one, kind))
    return Cell(value=F.array_join(texts, separator), fault=F.exists(texts, lambda text: text.contains(separator)))


def _folder_value(name: str) -> Column:
    """The value that a file's folder has for the column, which is encoded twice: in its name, and in the file's URI."""
    value = F.regexp_extract(F.input_file_name(), f".*/{re.escape(name)}=([^/]*)/", 1)
    for _ in range(2):
        value = F.url_decode(F.replace(value, F.lit("+"), F.lit("%2B")))
    return F.when(value != NO_VALUE, value)


def _quoted(name: str) -> str:
    """A name for Spark, which would take some for paths."""
    return "`" + name.replace("`", "``") + "`"
