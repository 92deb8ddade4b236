"""Prepared rows as blobs in Parquet files on a file system that the whole cluster shares."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from features.schema import Schema
from training.engines.counting import Counting
from training.engines.selection import ALL, Selection, division
from training.engines.spark.counted import SparkCounts, shared, shares_for, types_of
from training.engines.spark.store.groups import Group, over
from training.engines.spark.store.scans import blocks, merged, running
from training.engines.spark.synapseml.encoded import SparkEncoded, stored_as_vectors
from training.kernels.columns import FEATURES
from training.kernels.encode import FoldEncoder, out_of_fold
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.parameters import TrainingParameters


@dataclass(frozen=True, kw_only=True)
class SparkRows:
    """The blocks in `groups`. See `training.protocols.Rows`.

    `log` is the local session's log.
    """

    session: SparkSession
    groups: tuple[Group, ...]
    schema: Schema
    log: Path
    selection: Selection = ALL

    def part(self, *parts: Part) -> "SparkRows":
        """The divided rows of these parts."""
        return replace(self, selection=replace(self.selection, parts=parts))

    def with_schema(self, schema: Schema) -> "SparkRows":
        """The rows with other crosses."""
        return replace(self, schema=schema)

    def scan(self, kernel: Kernel, *, first: int | None = None) -> pa.Table:
        """What the kernel gives over all rows, or over those of one group; merged as the kernel says."""
        groups = self.groups if first is None else self.groups[:1]
        return merged(self.session, groups, running(kernel, self.selection), kernel)

    def divided(self, parameters: TrainingParameters, *, count: int) -> "SparkRows":
        """These rows, of which there are `count`, with `PART` and `FOLD`."""
        return replace(self, selection=Selection(division=division(self, self.schema, parameters, rows_in_all=count)))

    @property
    def held_out_from(self) -> int | None:
        """See `training.protocols.Rows`."""
        return self.selection.held_out_from

    def count(self, parameters: TrainingParameters, folder: Path) -> SparkCounts:
        """The category values of divided rows, counted by one task per slot, then summed by share."""
        width, folds = len(self.schema.categories), parameters.folds
        counting = Counting(selection=self.selection, schema=self.schema, columns=range(width), folds=folds)
        count = partial(_counted, counting=counting, shares=shares_for(self.session, self.groups))
        counted = over(self.session, self.groups, count, types_of(width), tasks_of_a_slot=1)
        return SparkCounts.added(counted, columns=width, folds=folds, folder=folder)

    def encode(self, encoder: FoldEncoder, _parameters: TrainingParameters, folder: Path) -> SparkEncoded:
        """The inputs of divided rows as Spark's vectors."""
        kernel = out_of_fold(encoder)
        inputs = over(self.session, self.groups, running(kernel, self.selection), kernel.schema)
        return SparkEncoded.of(stored_as_vectors(inputs, FEATURES, folder), schema=self.schema, log=self.log)


def _counted(groups: Iterable[Group], *, counting: Counting, shares: int) -> Iterator[pa.RecordBatch]:
    found = counting.of(blocks(groups, counting.stored()))
    if found:
        yield from shared(found, shares)
