"""The values of every column with their rows and clicks by fold, as a table of Spark.

Its columns are `column` short, `hash` long, and `rows_k` and `clicks_k` long for each fold k.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.hashing import MISSING_HASH
from training.engines.spark.spark_paths import stored, to_write
from training.kernels.count import ValueCounts
from training.kernels.encode import FrequentValues

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SparkCounts:
    """The table of so many columns; see `training.engine.CountTable`."""

    table: DataFrame
    columns: int

    @classmethod
    def added(cls, parts: DataFrame, columns: int, folder: Path) -> "SparkCounts":
        """The counts over all `parts`, from one shuffle, as Parquet in `folder` unless it is there."""
        sums = (F.sum(name).alias(name) for name in parts.columns[2:])
        return cls(stored(parts.groupBy("column", "hash").agg(*sums), folder), columns)

    def values_by_rows(self, most: int) -> Counts:
        """See `training.engine.CountTable`."""
        rows = F.least(self._total("rows"), F.lit(most))
        found = self.table.groupBy("column", rows.alias("rows")).count().toPandas()
        counted = np.zeros((self.columns, most + 1), dtype=np.int64)
        counted[found["column"], found["rows"]] = found["count"]
        return counted

    def frequent(self, needed_rows: Counts) -> FrequentValues:
        """See `training.engine.CountTable`; what reaches the driver does not grow with the rare values."""
        needed = F.array(*(F.lit(rows) for rows in needed_rows.tolist()))
        frequent = self._total("rows") >= needed[F.col("column")]
        kept = self.table.where(frequent).toPandas().sort_values(["column", "hash"])
        sums = [F.sum(name).alias(name) for name in self.table.columns[2:]]
        rare = self.table.where(~frequent).groupBy("column").agg(*sums).toPandas()
        pools = rare.set_index("column").reindex(range(self.columns), fill_value=0)
        rows, clicks = ([name for name in self.table.columns if name.startswith(f"{kind}_")] for kind in _KINDS)
        return FrequentValues(
            column=kept["column"].to_numpy(np.int16),
            hash=kept["hash"].to_numpy(np.int64),
            rows=kept[rows].to_numpy(np.int64),
            clicks=kept[clicks].to_numpy(np.int64),
            rare_rows=pools[rows].to_numpy(np.int64),
            rare_clicks=pools[clicks].to_numpy(np.int64),
        )

    def distinct(self, index: int) -> int:
        """See `training.engine.CountTable`."""
        return int(self._summaries[index]["distinct"])

    def missing(self, index: int) -> int:
        """See `training.engine.CountTable`."""
        return int(self._summaries[index]["missing"])

    def most_frequent(self, index: int, number: int) -> tuple[Counts, Counts]:
        """See `training.engine.CountTable`."""
        own = self.table.where((F.col("column") == index) & (F.col("hash") != MISSING_HASH))
        most = own.select("hash", self._total("rows").alias("rows")).orderBy(F.desc("rows"), "hash").limit(number)
        hashes, rows = most.toPandas().to_numpy(np.int64).T
        return hashes, rows

    def plus(self, others: Sequence[Self], folder: Path) -> "SparkCounts":
        """See `training.engine.CountTable`."""
        every = reduce(DataFrame.unionByName, [self.table, *(other.table for other in others)])
        return SparkCounts.added(every, self.columns, folder)

    def write(self, file: Path, work: Path, *, by_fold: bool) -> None:
        """See `training.engine.CountTable`; Spark writes below `work`, on whichever machine it likes."""
        table = self.table.select(
            "column",
            "hash",
            *(self._total(kind).alias(kind) for kind in _KINDS),
            *(self.table.columns[2:] if by_fold else ()),
        )
        parts = Path(mkdtemp(prefix="counts-", dir=work)) / "parts"
        table.repartition(1).sortWithinPartitions("column", "hash").write.parquet(to_write(parts))
        (written,) = parts.glob("part-*.parquet")
        _rewrite(written, file)
        shutil.rmtree(parts.parent)

    @cached_property
    def _summaries(self) -> dict[int, dict[str, Any]]:
        """Distinct values and missing rows by column; columns of numbers alone have none."""
        is_missing = F.col("hash") == MISSING_HASH
        found = self.table.groupBy("column").agg(
            F.count_if(~is_missing).alias("distinct"),
            F.sum(F.when(is_missing, self._total("rows")).otherwise(0)).alias("missing"),
        )
        return {row["column"]: row.asDict() for row in found.collect()}

    def _total(self, kind: str) -> Column:
        """`rows` or `clicks` of a value over all folds."""
        terms = (F.col(name) for name in self.table.columns if name.startswith(f"{kind}_"))
        return reduce(lambda sum_so_far, term: sum_so_far + term, terms)


_KINDS = ("rows", "clicks")


def _rewrite(written: Path, file: Path) -> None:
    """Write the rows again by Arrow: Java lists a column's encodings in another order each time, Arrow in one.

    A bundle is named by its files' bytes, so that the same counts have to be the same bytes.
    """
    with parquet.ParquetFile(written) as source:
        schema = source.schema_arrow.remove_metadata()
        with parquet.ParquetWriter(file, schema) as target:
            for group in range(source.num_row_groups):
                target.write_table(source.read_row_group(group).cast(schema))


def types_of(folds: int) -> pa.Schema:
    """The table's columns."""
    by_fold = [(f"{kind}_{fold}", pa.int64()) for kind in _KINDS for fold in range(folds)]
    return pa.schema([("column", pa.int16()), ("hash", pa.int64()), *by_fold])


def table_of(index: int, counts: ValueCounts) -> pa.RecordBatch:
    """The counts of the column `index` as rows of the table."""
    column = np.full(len(counts), index, dtype=np.int16)
    arrays = [column, counts.hash, *counts.rows.T, *counts.clicks.T]
    names = types_of(counts.rows.shape[1]).names
    return pa.RecordBatch.from_arrays([pa.array(np.ascontiguousarray(values)) for values in arrays], names=names)
