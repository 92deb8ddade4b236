"""Encoded rows as Spark's vectors, as SynapseML takes them."""

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
from training.engines.spark.merged import merged
from training.engines.spark.synapseml.fit import fit
from training.kernels.columns import PART
from training.kernels.kernel import Kernel
from training.kernels.split import PARTS, Part
from training.model.fitted import Fitted
from training.parameters import TrainingParameters
from training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class SparkEncoded:
    """Rows of `frame`; see `training.engine.EncodedRows`. `log` is the local session's log."""

    frame: DataFrame
    schema: Schema
    log: Path

    def part(self, *parts: Part) -> "SparkEncoded":
        """The rows of these parts."""
        return replace(self, frame=self.frame.where(F.col(PART).isin([PARTS.index(part) for part in parts])))

    def scan(self, kernel: Kernel, *, first: int | None = None) -> pa.Table:
        """What the kernel gives over all rows, or over so many of the first ones; merged as the kernel says."""
        frame = self.frame if first is None else self.frame.limit(first)
        shared = frame.sparkSession.sparkContext.broadcast(kernel.function)

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            yield from shared.value(batches)

        inputs = frame.select(*(_plain(frame, name) for name in kernel.columns))
        return merged(inputs.mapInArrow(run, from_arrow_schema(kernel.schema)), kernel)

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these rows."""
        return fit(self.frame, self.schema, parameters, rows=rows, log=self.log, progress=progress)


def _plain(frame: DataFrame, name: str) -> Column:
    """The column as Arrow knows it: Spark's vectors as arrays."""
    column = F.col(name)
    return vector_to_array(column).alias(name) if isinstance(frame.schema[name].dataType, VectorUDT) else column
