"""A dataset's rows on Spark: read, converted and hashed in tasks, and stored as Parquet with equal rows numbered."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.window import Window

from features.schema import Schema
from training.engines.reading.opened import unchanged
from training.engines.spark.converted import found_in, rows_of
from training.engines.spark.criteo import SparkCriteo
from training.engines.spark.interruptible import interruptible
from training.engines.spark.paths import stored
from training.engines.spark.rows import SparkRows
from training.engines.spark.scans import mapped
from training.engines.spark.tables import SparkTables
from training.kernels.columns import LABEL, RECORD_HASH
from training.kernels.hashed import numbered, types_of
from training.kernels.kernel import Kernel

WRITING = {"maxRecordsPerFile": "50000"}
"""Even rows of one compressed file, which one task reads, are spread over all cores from here on."""
UNREADABLE = ("EOFException", "ZipException", "IncorrectHeader", "ParquetDecodingException", "not a Parquet file")
"""What Java says of damaged files."""
AMONG_EQUAL = "_number"

Unhashed = SparkTables | SparkCriteo
"""A dataset's rows. `hashed` has them as `training.engines.spark.converted` gives them, and what was counted before;
`explain` raises the `DatasetError` that names what is wrong with the files.
"""


@dataclass(frozen=True, kw_only=True)
class SparkSource:
    """See `training.protocols.Source`; `log` is the session's log."""

    rows: Unhashed
    log: Path

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        return self.rows.schema

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """See `training.protocols.Source`."""
        return self.rows.hashed_fields

    def prepare(self, folder: Path) -> tuple[SparkRows, Counter[str]]:
        """Check and hash the rows, write them to `folder` unless they are there; see `training.protocols.Source`."""
        with unchanged(self.rows.files):
            try:
                hashed, before = self.rows.hashed(folder)
                frame = stored(hashed, folder, options=WRITING)
            except Py4JJavaError as error:
                if any(sign in str(error) for sign in UNREADABLE):
                    self.rows.explain(error)
                raise
            found, fault = found_in(frame)
            if fault:
                self.rows.explain(fault)
        found += before
        self.rows.check(found)
        return SparkRows(frame=_numbered(rows_of(frame), self.schema, folder), schema=self.schema, log=self.log), found


def _numbered(rows: DataFrame, schema: Schema, folder: Path) -> DataFrame:
    """The rows, again written where some of them are equal. Those few are sorted, and not all."""
    place, again = (folder.with_name(f"{folder.name}-{kind}") for kind in ("repeated", "numbered"))
    repeated = stored(rows.groupBy(RECORD_HASH).count().where("count > 1").select(RECORD_HASH), place)
    if not interruptible(repeated.limit(1), DataFrame.collect):
        return rows
    others, equal = (rows.join(repeated, RECORD_HASH, how) for how in ("left_anti", "left_semi"))
    number = F.row_number().over(Window.partitionBy(RECORD_HASH, LABEL).orderBy(RECORD_HASH)) - 1
    types = types_of(schema)
    kernel = Kernel(columns=(*types.names, AMONG_EQUAL), schema=types, function=_with_number)
    differing = mapped(equal.withColumn(AMONG_EQUAL, number.cast("bigint")), kernel)
    return stored(others.unionByName(differing), again, options=WRITING)


def _with_number(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        hashes = numbered(*(batch.column(name).to_numpy() for name in (RECORD_HASH, AMONG_EQUAL)))
        names = batch.schema.names[:-1]
        yield pa.RecordBatch.from_arrays(
            [pa.array(hashes) if name == RECORD_HASH else batch.column(name) for name in names], names=names
        )
