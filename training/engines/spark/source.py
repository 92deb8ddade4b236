"""A dataset's rows on Spark: its tasks read and hash the pieces, and Spark stores the results."""

import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from features.errors import PersonalizationError
from features.schema import Schema
from training.engines.reading.opened import HashedBlock, Opened, Piece
from training.engines.spark.rows import SparkRows
from training.engines.spark.store.blobs import PIECE, WRITING, packed
from training.engines.spark.store.delivered import over_files
from training.engines.spark.store.groups import groups_of, rows_beside
from training.engines.spark.store.paths import stored
from training.kernels.columns import LABEL, RAW, RECORD_HASH, TIME, raw_columns

FOUND = "_found"
"""The column with what was counted while reading a block, as JSON."""
PROBLEM = "_problem"
"""The column with the pickled error that ended a piece. A worker that
raised it would be retried, and Java would turn it into text."""


@dataclass(frozen=True, kw_only=True)
class SparkSource:
    """See `training.protocols.Source`; `log` is the local session's log."""

    session: SparkSession
    opened: Opened
    log: Path

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        return self.opened.schema

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """See `training.protocols.Source`; Spark does not number equal rows."""
        return self.opened.hashed_fields

    def prepare(self, folder: Path) -> tuple[SparkRows, Counter[str]]:
        """Check and hash the rows, write them to `folder` unless they are there; see `training.protocols.Source`."""
        with self.opened.unchanged():
            blocks = stored(self._read(), folder, options=WRITING)
        rows, found = rows_of(blocks, schema=self.schema, log=self.log)
        self.opened.check(found)
        return rows, found

    def _read(self) -> DataFrame:
        """One row per block, and one per piece that cannot be read to its end."""
        pieces, schema = self.opened.pieces, self.schema
        types = types_of(schema)
        shared = self.session.sparkContext.broadcast(list(pieces))

        def run(number: int) -> Iterator[pa.RecordBatch]:
            for row in _rows(shared.value[number], schema):
                yield pa.RecordBatch.from_pylist([{PIECE: number, **row}], schema=types)

        return over_files(self.session, [piece.files for piece in pieces], run, types)


def types_of(schema: Schema) -> pa.Schema:
    """The columns of blocks of prepared rows."""
    time = [] if schema.timestamp is None else [TIME]
    blobs = dict.fromkeys((FOUND, PROBLEM, LABEL, *raw_columns(schema), RECORD_HASH, RAW, *time))
    return pa.schema([(PIECE, pa.int64()), *((name, pa.binary()) for name in blobs)])


def _rows(piece: Piece, schema: Schema) -> Iterator[dict[str, object]]:
    try:
        for block in piece.blocks(schema):
            yield row_of(block)
    except PersonalizationError as error:
        yield {PROBLEM: pickle.dumps(error)}


def row_of(block: HashedBlock) -> dict[str, object]:
    """A block as a Spark row."""
    return {FOUND: msgspec.json.encode(block.found), **packed(block.rows)}


def rows_of(stored: DataFrame, *, schema: Schema, log: Path) -> tuple[SparkRows, Counter[str]]:
    """The rows in stored blocks, and what was counted while reading them; raises the first piece's error, if any."""
    groups = groups_of(stored)
    beside = rows_beside(groups, [PIECE, FOUND, PROBLEM])
    found = found_in([row for rows in beside for row in rows])
    return SparkRows(session=stored.sparkSession, groups=groups, schema=schema, log=log), found


def found_in(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """The sum of all `FOUND` columns; raises the first piece's `PROBLEM`, if there is one."""
    problems = [(row[PIECE], bytes(row[PROBLEM])) for row in rows if row[PROBLEM] is not None]
    if problems:
        error: Exception = pickle.loads(min(problems)[1])  # noqa: S301 - what a task of this run wrote
        raise error
    found = (Counter[str](msgspec.json.decode(bytes(row[FOUND]), type=dict[str, int])) for row in rows)
    return sum(found, Counter[str]())
