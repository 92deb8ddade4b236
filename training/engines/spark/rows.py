"""Prepared rows in Parquet files that every machine of a cluster sees."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.pandas.types import from_arrow_schema

from features.schema import Schema
from training.engines.spark.count import count
from training.engines.spark.counted import SparkCounts
from training.engines.spark.fit import fit
from training.engines.spark.identifiers import column
from training.engines.spark.reading.source import DAY
from training.engines.spark.spark_paths import to_read
from training.engines.spark.split import with_parts
from training.engines.spark.vectors import stored_as_vectors
from training.kernels.columns import FEATURES, PART
from training.kernels.encode import FoldEncoder, out_of_fold
from training.kernels.kernel import Kernel
from training.kernels.split import PARTS, Part
from training.model.fitted import Fitted
from training.parameters import TrainingParameters
from training.progress import Progress
from training.work import COMPLETE

SUFFIX = ".parquet"


@dataclass(frozen=True, kw_only=True)
class SparkRows:
    """Rows of `frame`; see `training.engine.Rows`. `log` is the local session's log."""

    frame: DataFrame
    schema: Schema
    log: Path

    def part(self, *parts: Part) -> "SparkRows":
        """The divided rows of these parts."""
        return self._of(self.frame.where(F.col(PART).isin([PARTS.index(part) for part in parts])))

    def day(self, day: str) -> "SparkRows":
        """The rows that came with this day's files."""
        return self._of(self.frame.where(column(DAY) == day))

    def scan(self, kernel: Kernel, *, first: int | None = None) -> pa.Table:
        """What the kernel gives over all rows, or over so many of the first ones; merged as the kernel says."""
        frame = self.frame if first is None else self.frame.limit(first)
        mapped = mapped_rows(frame, kernel)
        if kernel.by:
            sums = [getattr(F, how)(name).alias(name) for name, how in kernel.merged.items()]
            mapped = mapped.groupBy(*kernel.by).agg(*sums)
        table = mapped.select(kernel.schema.names).toPandas()
        return pa.Table.from_pandas(table, kernel.schema, preserve_index=False)

    def divided(self, parameters: TrainingParameters, *, count: int) -> "SparkRows":
        """These rows, of which there are `count`, with `PART` and `FOLD`."""
        return self._of(with_parts(self.frame, self.schema, parameters, count=count))

    def count(self, parameters: TrainingParameters, folder: Path) -> SparkCounts:
        """The category values of divided rows."""
        return SparkCounts(count(self.frame, self.schema, parameters, folder=folder), len(self.schema.categorical))

    def known_counts(self, table: Path, parameters: TrainingParameters, folder: Path) -> SparkCounts:
        """What an earlier run counted on rows like these: its table, which lies on this machine, where all see it."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(table, folder / f"part-00000{SUFFIX}")
        (folder / COMPLETE).touch()
        by_fold = [f"{kind}_{fold}" for kind in ("rows", "clicks") for fold in range(parameters.folds)]
        read = self.frame.sparkSession.read.parquet(to_read(folder))
        return SparkCounts(read.select("column", "hash", *by_fold), len(self.schema.categorical))

    def encode(self, encoder: FoldEncoder, folder: Path) -> "SparkRows":
        """The inputs of divided rows as vectors."""
        return self._of(stored_as_vectors(mapped_rows(self.frame, out_of_fold(encoder)), FEATURES, folder))

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these encoded rows."""
        return fit(self.frame, self.schema, parameters, rows=rows, log=self.log, progress=progress)

    def _of(self, frame: DataFrame) -> "SparkRows":
        return replace(self, frame=frame)


def mapped_rows(frame: DataFrame, kernel: Kernel) -> DataFrame:
    """What the kernel gives over the rows of each partition, not merged."""
    shared = frame.sparkSession.sparkContext.broadcast(kernel.function)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from shared.value(batches)

    inputs = frame.select(*(_plain(frame, name).alias(f"_{index}") for index, name in enumerate(kernel.columns)))
    return inputs.mapInArrow(run, from_arrow_schema(kernel.schema))


def _plain(frame: DataFrame, name: str) -> Column:
    """The column as Arrow knows it: Spark's vectors as arrays."""
    return vector_to_array(F.col(name)) if isinstance(frame.schema[name].dataType, VectorUDT) else F.col(name)
