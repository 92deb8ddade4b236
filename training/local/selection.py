"""Selects rows by part from blocks of prepared rows, for both engines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.schema import Schema
from training.errors import required_timestamp
from training.kernels.columns import FOLD, PART, RECORD_HASH, TIME
from training.kernels.split import PARTS, Division, Part
from training.parameters import Split, TrainingParameters
from training.protocols import Scannable


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The rows of some `parts`, or all rows if there are none.

    Prepared rows get `PART` and `FOLD` from `division` while they are read; encoded rows have `PART` stored.
    """

    division: Division | None = None
    parts: tuple[Part, ...] = ()

    @property
    def held_out_from(self) -> int | None:
        """See `training.protocols.Rows`."""
        by_time = self.division is not None and self.division.parameters.split is Split.TIME
        return self.division.held_out_from if self.division is not None and by_time else None

    def stored(self, columns: Iterable[str]) -> list[str]:
        """The stored columns that these columns need."""
        if self.division is None:
            return list(dict.fromkeys([*columns, *([PART] if self.parts else [])]))
        own = [RECORD_HASH, *([TIME] if self.division.parameters.split is Split.TIME else [])]
        return list(dict.fromkeys([*(name for name in columns if name not in {PART, FOLD}), *own]))

    def of(self, blocks: Iterable[pa.RecordBatch], columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """The rows of each block with these columns, in this order."""
        wanted = list(columns)
        numbers = [PARTS.index(part) for part in self.parts]
        for block in blocks:
            rows = divided(block, self.division)
            if numbers:
                chosen = np.isin(rows.column(PART).to_numpy(), numbers)
                yield rows.select(wanted).filter(pa.array(chosen))
            else:
                yield rows.select(wanted)


ALL = Selection()


def division(rows: Scannable, schema: Schema, parameters: TrainingParameters, *, rows_in_all: int) -> Division:
    """The division of these rows; raises `NoTimestampError` or `SplitError` if a split by time is not possible."""
    if parameters.split is Split.TIME:
        required_timestamp(schema.timestamp)
    return Division.of(parameters, rows.scan, rows=rows_in_all)


def divided(block: pa.RecordBatch, division: Division | None) -> pa.RecordBatch:
    """The rows with `PART` and `FOLD`."""
    if division is None:
        return block
    record_hash = block.column(RECORD_HASH).to_numpy()
    times = block.column(TIME).to_numpy() if TIME in block.schema.names else None
    added = {PART: division.parts(record_hash, times), FOLD: division.folds(record_hash)}
    arrays = [*block.columns, *map(pa.array, added.values())]
    return pa.RecordBatch.from_arrays(arrays, names=[*block.schema.names, *added])
