"""Encoded rows as blobs; each block keeps the number of the piece that it was read from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from features.schema import Schema
from training.engines.selection import ALL, Selection
from training.engines.spark.native.fit import fit
from training.engines.spark.store.blobs import PIECE, WRITING, packed, unpacked
from training.engines.spark.store.groups import Group, groups_of, over
from training.engines.spark.store.paths import stored
from training.engines.spark.store.scans import merged, running
from training.kernels.encode import FoldEncoder, out_of_fold
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.model.fitted import Fitted
from training.parameters import TrainingParameters
from training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class NativeEncoded:
    """The blocks in `groups`; see `training.protocols.EncodedRows`. `log` is the local session's."""

    session: SparkSession
    groups: tuple[Group, ...]
    schema: Schema
    log: Path
    selection: Selection = ALL

    @classmethod
    def of(
        cls,
        session: SparkSession,
        groups: Sequence[Group],
        selection: Selection,
        encoder: FoldEncoder,
        *,
        folder: Path,
        log: Path,
    ) -> "NativeEncoded":
        """The inputs of the selected rows in `groups`, written to `folder` unless they are there already."""
        kernel = out_of_fold(encoder)
        types = pa.schema([(PIECE, pa.int64()), *((name, pa.binary()) for name in kernel.schema.names)])
        encode = partial(_encoded, kernel=kernel, selection=selection, types=types)
        written = stored(over(session, groups, encode, types), folder, options=WRITING)
        return cls(session=session, groups=groups_of(written), schema=encoder.schema, log=log)

    def part(self, *parts: Part) -> "NativeEncoded":
        """The rows of these parts."""
        return replace(self, selection=replace(self.selection, parts=parts))

    def scan(self, kernel: Kernel, *, first: int | None = None) -> pa.Table:
        """What the kernel gives over all rows, or over those of one group; merged as the kernel says."""
        groups = self.groups if first is None else self.groups[:1]
        return merged(self.session, groups, running(kernel, self.selection), kernel)

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these rows."""
        return fit(self.session, self.groups, self.schema, parameters, rows=rows, log=self.log, progress=progress)


def _encoded(
    groups: Iterable[Group], *, kernel: Kernel, selection: Selection, types: pa.Schema
) -> Iterator[pa.RecordBatch]:
    for group in groups:
        content = group.read([PIECE, *selection.stored(kernel.columns)])
        blocks = unpacked(content.drop_columns([PIECE]).to_batches())
        encoded = kernel.function(selection.of(blocks, kernel.columns))
        for piece, block in zip(content.column(PIECE).to_pylist(), encoded, strict=True):
            yield pa.RecordBatch.from_pylist([{PIECE: piece, **packed(block)}], schema=types)
