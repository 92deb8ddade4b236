"""Encoded rows as Spark's vectors, which SynapseML takes.

The inputs are stored in the layout of vectors, because Spark's conversion from arrays would box every number, and
SynapseML would repeat it in each of its passes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.types import StructField, StructType

from features.schema import Schema
from training.engines.selection import ALL, Selection
from training.engines.spark.store.groups import Group, groups_of
from training.engines.spark.store.paths import stored
from training.engines.spark.store.scans import merged
from training.engines.spark.synapseml.fit import fit
from training.kernels.columns import FEATURES
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.model.fitted import Fitted
from training.parameters import TrainingParameters
from training.progress import Progress

BATCH_ROWS = 65_536
"""Rows per batch of a kernel."""
DENSE = 1
"""The value of `VectorUDT`'s field `type` for a dense vector."""
VALUES = "values"
"""`VectorUDT`'s field with a vector's numbers."""


@dataclass(frozen=True, kw_only=True)
class SparkEncoded:
    """The rows of `frame`, which are in `groups`; see `training.protocols.EncodedRows`. `log` is the session's log."""

    frame: DataFrame
    groups: tuple[Group, ...]
    schema: Schema
    log: Path
    selection: Selection = ALL

    @classmethod
    def of(cls, stored: DataFrame, *, schema: Schema, log: Path) -> "SparkEncoded":
        """The stored rows."""
        return cls(frame=stored, groups=groups_of(stored), schema=schema, log=log)

    def part(self, *parts: Part) -> "SparkEncoded":
        """The rows of these parts."""
        return replace(self, selection=replace(self.selection, parts=parts))

    def scan(self, kernel: Kernel, *, first: int | None = None) -> pa.Table:
        """What the kernel gives over all rows, or over those of one group; merged as the kernel says."""
        groups = self.groups if first is None else self.groups[:1]
        scanned = partial(_scanned, kernel=kernel, selection=self.selection)
        return merged(self.frame.sparkSession, groups, scanned, kernel)

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these rows."""
        return fit(self.frame, self.schema, parameters, rows=rows, log=self.log, progress=progress)


def _scanned(groups: Iterable[Group], *, kernel: Kernel, selection: Selection) -> Iterator[pa.RecordBatch]:
    columns = selection.stored(kernel.columns)
    return kernel.function(selection.of(_batches(groups, columns), kernel.columns))


def _batches(groups: Iterable[Group], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of the groups; only the numbers of vectors are read, as arrays."""
    leaves = [f"{name}.{VALUES}" if name == FEATURES else name for name in columns]
    for group in groups:
        for batch in group.read(leaves).to_batches(BATCH_ROWS):
            names = batch.schema.names
            arrays = [pc.struct_field(batch[name], VALUES) if name == FEATURES else batch[name] for name in names]
            yield pa.RecordBatch.from_arrays(arrays, names=names)


def stored_as_vectors(frame: DataFrame, name: str, folder: Path) -> DataFrame:
    """`frame`, written to `folder` unless it is there already, with the array<double> `name` read back as vectors."""
    fields = [StructField(name, VectorUDT()) if field.name == name else field for field in frame.schema.fields]
    return stored(frame.withColumn(name, _dense(F.col(name))), folder, schema=StructType(fields))


def _dense(values: Column) -> Column:
    nothing = F.lit(None)
    return F.struct(
        F.lit(DENSE).cast("tinyint").alias("type"),
        nothing.cast("int").alias("size"),
        nothing.cast("array<int>").alias("indices"),
        values.alias(VALUES),
    )
