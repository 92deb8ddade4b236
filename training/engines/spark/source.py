"""A dataset's rows on Spark, which hands out its pieces and stores what the kernels make of them."""

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from features.errors import PersonalizationError
from features.schema import Schema
from training.engines.reading.opened import Opened, Piece
from training.engines.spark.blobs import WRITING, packed
from training.engines.spark.rows import DAY, SparkRows
from training.engines.spark.spark_paths import stored
from training.kernels.columns import LABEL, RAW, RECORD_HASH, TIME, raw_columns
from training.parameters import TrainingParameters

_PIECE = "_piece"
_FOUND = "_found"
"""What was counted in reading a block, as JSON."""
_PROBLEM = "_problem"
"""The error that ended a piece, pickled: thrown in a worker, it would be tried again, and Java would make a text of
it."""


@dataclass(frozen=True, kw_only=True)
class SparkSource:
    """See `training.engine.Source`; `log` is the local session's log."""

    session: SparkSession
    opened: Opened
    log: Path

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        return self.opened.schema

    def prepare(self, parameters: TrainingParameters, folder: Path) -> tuple[SparkRows, int]:
        """Check and hash the rows, write them to `folder` unless they are there; see `training.engine.Source`."""
        with self.opened.unchanged():
            blocks = stored(self._read(parameters), folder, options=WRITING)
        found = _checked(blocks)
        self.opened.check(found)
        return SparkRows(frame=blocks, schema=self.schema, log=self.log), found["rows"]

    def _read(self, parameters: TrainingParameters) -> DataFrame:
        """A row for each block, and one for each piece that cannot be read to its end."""
        pieces, schema = self.opened.pieces, self.schema
        time = [] if schema.timestamp is None else [TIME]
        columns = [LABEL, *raw_columns(schema), RECORD_HASH, RAW, *time]
        types = pa.schema(
            [
                (_PIECE, pa.int64()),
                (DAY, pa.string()),
                *((name, pa.binary()) for name in (_FOUND, _PROBLEM, *columns)),
            ]
        )
        shared = self.session.sparkContext.broadcast(list(pieces))

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for number in (number for batch in batches for number in batch.column(0).to_pylist()):
                for row in _rows(shared.value[number], schema, parameters):
                    yield pa.RecordBatch.from_pylist([{_PIECE: number, **row}], schema=types)

        tasks = self.session.range(0, len(pieces), 1, max(1, len(pieces)))
        return tasks.mapInArrow(run, from_arrow_schema(types))


def _rows(piece: Piece, schema: Schema, parameters: TrainingParameters) -> Iterator[dict[str, object]]:
    try:
        for block in piece.blocks(schema, parameters):
            yield {DAY: piece.day, _FOUND: msgspec.json.encode(block.found), **packed(block.rows)}
    except PersonalizationError as error:
        yield {DAY: piece.day, _PROBLEM: pickle.dumps(error)}


def _checked(blocks: DataFrame) -> Counter[str]:
    """What was counted in all blocks; raises the error of the first piece that has one."""
    rows = blocks.select(_PIECE, _FOUND, _PROBLEM).collect()
    problems = [(row[_PIECE], bytes(row[_PROBLEM])) for row in rows if row[_PROBLEM] is not None]
    if problems:
        error: Exception = pickle.loads(min(problems)[1])  # noqa: S301 - what a task of this run wrote
        raise error
    found = (Counter[str](msgspec.json.decode(bytes(row[_FOUND]), type=dict[str, int])) for row in rows)
    return sum(found, Counter[str]())
