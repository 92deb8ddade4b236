"""Count tables on Spark: each column's values with their rows and clicks by fold, as Parquet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.hashing import MISSING_HASH
from features.schema import Schema
from training.kernels.encode import FrequentValues
from training.kernels.kernel import Kernel
from training.kernels.split import PARTS
from training.local.counting import Counting
from training.local.selection import Selection
from training.spark.paths import stored
from training.spark.scans import interruptible, mapped

if TYPE_CHECKING:
    import pandas as pd  # workers, which import this module too, do without

Counts = npt.NDArray[np.int64]
ROWS, CLICKS = "rows", "clicks"


@dataclass(frozen=True, kw_only=True)
class SparkCounts:
    """The columns `column`, `hash`, `rows_K` and `clicks_K` for each fold K; see `training.protocols.CountTable`."""

    table: DataFrame
    columns: int
    folds: int

    @classmethod
    def of(cls, rows: DataFrame, schema: Schema, *, folds: int, folder: Path) -> "SparkCounts":
        """The counts over divided rows, as Parquet in `folder` unless they are there already.

        One task per slot counts its rows, and one shuffle adds up what the tasks counted.
        """
        width = len(schema.categories)
        counting = Counting(selection=Selection(parts=PARTS), schema=schema, columns=range(width), folds=folds)
        types = types_of(folds)
        parts = rows.select(counting.stored()).coalesce(rows.sparkSession.sparkContext.defaultParallelism)
        function = partial(_counted, counting=counting, types=types)
        counted = mapped(parts, Kernel(columns=tuple(parts.columns), schema=types, function=function))
        sums = [F.sum(name).alias(name) for name in types.names[2:]]
        return cls(table=stored(counted.groupBy("column", "hash").agg(*sums), folder), columns=width, folds=folds)

    def values_by_rows(self, most: int) -> Counts:
        """See `training.protocols.CountTable`."""
        rows = F.least(self._total(ROWS), F.lit(most)).alias(ROWS)
        found = _on_driver(self.table.groupBy("column", rows).count())
        counts = np.zeros((self.columns, most + 1), np.int64)
        counts[found["column"], found[ROWS]] = found["count"]
        return counts

    def frequent(self, needed_rows: Counts) -> FrequentValues:
        """See `training.protocols.CountTable`; rare values do not reach the driver."""
        needed = F.get(F.array(*(F.lit(int(rows)) for rows in needed_rows)), F.col("column").cast("int"))
        is_frequent = self._total(ROWS) >= needed
        kept = _on_driver(self.table.where(is_frequent)).sort_values(["column", "hash"])
        sums = [F.sum(name).alias(name) for name in self.table.columns[2:]]
        rare = _on_driver(self.table.where(~is_frequent).groupBy("column").agg(*sums))
        pools = rare.set_index("column").reindex(range(self.columns), fill_value=0)
        rows, clicks = self._names(ROWS), self._names(CLICKS)
        return FrequentValues(
            column=kept["column"].to_numpy(np.int16),
            hash=kept["hash"].to_numpy(np.int64),
            rows=kept[rows].to_numpy(np.int64),
            clicks=kept[clicks].to_numpy(np.int64),
            rare_rows=pools[rows].to_numpy(np.int64),
            rare_clicks=pools[clicks].to_numpy(np.int64),
        )

    def distinct(self, index: int) -> int:
        """See `training.protocols.CountTable`."""
        return int(self._summaries[index]["distinct"]) if index in self._summaries else 0

    def missing(self, index: int) -> int:
        """See `training.protocols.CountTable`."""
        return int(self._summaries[index]["missing"]) if index in self._summaries else 0

    @cached_property
    def _summaries(self) -> dict[int, dict[str, Any]]:
        """Distinct values and missing rows by column."""
        is_missing = F.col("hash") == MISSING_HASH
        found = self.table.groupBy("column").agg(
            F.count_if(~is_missing).alias("distinct"),
            F.sum(F.when(is_missing, self._total(ROWS)).otherwise(0)).alias("missing"),
        )
        return {row["column"]: row.asDict() for row in interruptible(found, DataFrame.collect)}

    def _names(self, kind: str) -> list[str]:
        return [f"{kind}_{fold}" for fold in range(self.folds)]

    def _total(self, kind: str) -> Column:
        """`ROWS` or `CLICKS` of a value over all folds."""
        return reduce(add, map(F.col, self._names(kind)))


def _on_driver(table: DataFrame) -> "pd.DataFrame":
    return interruptible(table, DataFrame.toPandas)


def types_of(folds: int) -> pa.Schema:
    """The columns of a table of counts."""
    names = [f"{kind}_{fold}" for kind in (ROWS, CLICKS) for fold in range(folds)]
    return pa.schema([("column", pa.int16()), ("hash", pa.int64()), *((name, pa.int64()) for name in names)])


def _counted(batches: Iterable[pa.RecordBatch], *, counting: Counting, types: pa.Schema) -> Iterator[pa.RecordBatch]:
    for column, found in enumerate(counting.of(batches)):
        numbers = [found.hash, *found.rows.T, *found.clicks.T]
        arrays = [
            pa.array(np.full(len(found), column, np.int16)),
            *(pa.array(np.ascontiguousarray(one)) for one in numbers),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=types)
