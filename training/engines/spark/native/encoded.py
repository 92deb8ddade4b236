"""Encoded rows as blobs, each block beside the number of the piece that its rows were read from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from features.schema import Schema
from training.engines.selection import ALL, Selection
from training.engines.spark.blobs import PIECE, WRITING, packed, unpacked
from training.engines.spark.merged import merged
from training.engines.spark.native.fit import fit
from training.engines.spark.scans import mapped
from training.engines.spark.spark_paths import stored
from training.kernels.encode import FoldEncoder, out_of_fold
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.model.fitted import Fitted
from training.parameters import TrainingParameters
from training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class NativeEncoded:
    """The blocks in `frame`, which lie in `folder`; see `training.engine.EncodedRows`. `log` is the local session's."""

    frame: DataFrame
    folder: Path
    schema: Schema
    log: Path
    selection: Selection = ALL

    @classmethod
    def of(
        cls, blocks: DataFrame, selection: Selection, encoder: FoldEncoder, *, folder: Path, log: Path
    ) -> "NativeEncoded":
        """The inputs of the selected rows in `blocks`, written to `folder` unless they are there."""
        kernel = out_of_fold(encoder)
        types = pa.schema([(PIECE, pa.int64()), *((name, pa.binary()) for name in kernel.schema.names)])
        inputs = blocks.select(PIECE, *selection.stored(kernel.columns))
        shared = blocks.sparkSession.sparkContext.broadcast(kernel)

        def encode(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                pieces, blobs = batch.column(PIECE).to_pylist(), batch.select(batch.schema.names[1:])
                own = selection.of(unpacked([blobs]), shared.value.columns)
                for piece, block in zip(pieces, shared.value.function(own), strict=True):
                    yield pa.RecordBatch.from_pylist([{PIECE: piece, **packed(block)}], schema=types)

        frame = stored(inputs.mapInArrow(encode, from_arrow_schema(types)), folder, options=WRITING)
        return cls(frame=frame, folder=folder, schema=encoder.schema, log=log)

    def part(self, *parts: Part) -> "NativeEncoded":
        """The rows of these parts."""
        return replace(self, selection=replace(self.selection, parts=parts))

    def scan(self, kernel: Kernel, *, first: int | None = None) -> pa.Table:
        """What the kernel gives over all rows, or over those of one block; merged as the kernel says."""
        frame = self.frame if first is None else self.frame.limit(1)
        return merged(mapped(frame, kernel, self.selection), kernel)

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these rows."""
        return fit(self.frame, self.folder, self.schema, parameters, rows=rows, log=self.log, progress=progress)
