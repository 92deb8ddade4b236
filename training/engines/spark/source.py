"""A dataset's rows on Spark: read and typed, hashed, and stored as Parquet with equal rows numbered."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.engines.reading.opened import unchanged
from training.engines.spark.criteo import SparkCriteo
from training.engines.spark.hashes import numbered, prepared
from training.engines.spark.interruptible import interruptible
from training.engines.spark.paths import stored
from training.engines.spark.rows import SparkRows
from training.engines.spark.tables import WRONG, SparkTables
from training.kernels.columns import LABEL, RECORD_HASH
from training.kernels.hashed import NUMBER

WRITING = {"maxRecordsPerFile": "50000"}
"""Even rows of one compressed file, which one task reads, are spread over all cores from here on."""
UNREADABLE = ("EOFException", "ZipException", "IncorrectHeader", "ParquetDecodingException", "not a Parquet file")
"""What Java says of damaged files."""


Typed = SparkTables | SparkCriteo
"""A dataset's rows before they are hashed. `typed` has them for `training.engines.spark.hashes.prepared`, with `WRONG`,
and what was counted while reading them; `explain` raises the `DatasetError` that names what is wrong with the files.
"""


@dataclass(frozen=True, kw_only=True)
class SparkSource:
    """See `training.protocols.Source`; `log` is the session's log."""

    rows: Typed
    log: Path

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        return self.rows.schema

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """See `training.protocols.Source`."""
        return (*self.rows.hashed_fields, NUMBER)

    def prepare(self, folder: Path) -> tuple[SparkRows, Counter[str]]:
        """Check and hash the rows, write them to `folder` unless they are there; see `training.protocols.Source`."""
        with unchanged(self.rows.files):
            try:
                frame, found = self._stored(folder)
            except Py4JJavaError as error:
                if any(sign in str(error) for sign in UNREADABLE):
                    self.rows.explain(error)
                raise
        self.rows.check(found)
        return SparkRows(frame=frame, schema=self.schema, log=self.log), found

    def _stored(self, folder: Path) -> tuple[DataFrame, Counter[str]]:
        typed, found = self.rows.typed(folder)
        hashed = stored(prepared(typed, self.schema, self.rows.keys, WRONG), folder, options=WRITING)
        totals = hashed.agg(F.count("*"), F.coalesce(F.sum(LABEL), F.lit(0)), F.count_if(WRONG))
        ((rows, clicks, wrong),) = interruptible(totals, DataFrame.collect)
        if wrong:
            self.rows.explain(None)
        return _numbered(hashed, folder), found + Counter(rows=rows, clicks=clicks)


def _numbered(rows: DataFrame, folder: Path) -> DataFrame:
    """The rows, again written where some of them are equal. Those few are sorted, and not all."""
    place, again = (folder.with_name(f"{folder.name}-{kind}") for kind in ("repeated", "numbered"))
    repeated = stored(rows.groupBy(RECORD_HASH).count().where("count > 1").select(RECORD_HASH), place)
    if not interruptible(repeated.limit(1), DataFrame.collect):
        return rows
    others, equal = (rows.join(repeated, RECORD_HASH, how) for how in ("left_anti", "left_semi"))
    return stored(others.unionByName(numbered(equal)), again, options=WRITING)
