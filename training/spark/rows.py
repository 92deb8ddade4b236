"""Prepared and encoded rows as Parquet files on a file system that the whole cluster shares."""

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.types import StructField, StructType

from features.schema import Schema
from training.kernels.columns import FEATURES, FOLD, PART, RECORD_HASH, TIME
from training.kernels.encode import FoldEncoder, out_of_fold
from training.kernels.kernel import Kernel
from training.kernels.split import DRAWS, PARTS, Division, Part
from training.local.selection import division
from training.model.fitted import Fitted
from training.parameters import Split, TrainingParameters
from training.progress import Progress
from training.spark.counted import SparkCounts
from training.spark.paths import stored
from training.spark.scans import mapped, scanned
from training.spark.synapse import fit

DENSE = 1
"""The value of `VectorUDT`'s field `type` for a dense vector."""


@dataclass(frozen=True, kw_only=True)
class SparkRows:
    """Rows of `frame`; see `training.protocols.Rows`. `log` is the session's log."""

    frame: DataFrame
    schema: Schema
    log: Path
    held_out_from: int | None = None

    def part(self, *parts: Part) -> "SparkRows":
        """The rows of these parts."""
        return replace(self, frame=self.frame.where(F.col(PART).isin([PARTS.index(part) for part in parts])))

    def with_schema(self, schema: Schema) -> "SparkRows":
        """The rows with other crosses."""
        return replace(self, schema=schema)

    def scan(self, kernel: Kernel) -> pa.Table:
        """What the kernel gives over all rows, merged as the kernel says."""
        return scanned(self.frame, kernel)

    def divided(self, parameters: TrainingParameters, *, count: int) -> "SparkRows":
        """These rows, of which there are `count`, with `PART` and `FOLD`."""
        found = division(self, self.schema, parameters, rows_in_all=count)
        held_out_from = found.held_out_from if parameters.split is Split.TIME else None
        return replace(self, frame=divided(self.frame, found), held_out_from=held_out_from)

    def count(self, parameters: TrainingParameters, folder: Path) -> SparkCounts:
        """The category values of divided rows."""
        return SparkCounts.of(self.frame, self.schema, folds=parameters.folds, folder=folder)

    def encode(self, encoder: FoldEncoder, _parameters: TrainingParameters, folder: Path) -> "SparkRows":
        """The inputs of divided rows as vectors."""
        return replace(self, frame=_stored_as_vectors(mapped(self.frame, out_of_fold(encoder)), folder))

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these encoded rows."""
        return fit(self.frame, self.schema, parameters, rows=rows, log=self.log, progress=progress)


def _stored_as_vectors(frame: DataFrame, folder: Path) -> DataFrame:
    """The encoded rows, written to `folder` unless they are there, with `FEATURES` read back as vectors.

    Arrays are stored in the layout of vectors: Spark's conversion would box every number, in each pass of SynapseML.
    """
    fields = [StructField(FEATURES, VectorUDT()) if field.name == FEATURES else field for field in frame.schema.fields]
    return stored(frame.withColumn(FEATURES, _dense(F.col(FEATURES))), folder, schema=StructType(fields))


def _dense(values: Column) -> Column:
    nothing = F.lit(None)
    return F.struct(
        F.lit(DENSE).cast("tinyint").alias("type"),
        nothing.cast("int").alias("size"),
        nothing.cast("array<int>").alias("indices"),
        values.alias("values"),
    )


def draw(seed: int, purpose: str) -> Column:
    """See `training.kernels.split.draw`: Spark's `xxhash64` is XXH64 with the seed of our hashes."""
    return F.pmod(F.xxhash64(F.lit(seed), F.lit(purpose), F.col(RECORD_HASH)), F.lit(DRAWS))


def divided(rows: DataFrame, division: Division) -> DataFrame:
    """The rows with `PART` and `FOLD`: see `training.kernels.split.Division`."""
    parameters = division.parameters
    if parameters.split is Split.RANDOM:
        held_out = draw(parameters.seed, "held out") >= round(parameters.train_fraction * DRAWS)
        watched = draw(parameters.seed, "validation") < round(division.validation * DRAWS)
    else:
        held_out, watched = F.col(TIME) >= division.held_out_from, F.col(TIME) >= division.watched_from
    number = {part: F.lit(PARTS.index(part)).cast("tinyint") for part in PARTS}
    part = F.when(held_out, number[Part.HELD_OUT]).when(watched, number[Part.VALIDATION]).otherwise(number[Part.FIT])
    return rows.withColumns({PART: part, FOLD: (draw(parameters.seed, "fold") % parameters.folds).cast("int")})
