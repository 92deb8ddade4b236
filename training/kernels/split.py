"""The split: which rows are held out, which are for early stopping, and the folds of the target encoding.

Everything follows from a row's record hash and the seed, so it does not depend on files, chunks or their order. Equal
rows have different hashes (see `training.kernels.hashed`), so each falls on a side of its own. Where a split by time
cuts is found by counting rows in ever smaller intervals of time.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from features.errors import BadInputError
from features.hashing import HASH_SEED, hash_whole_numbers
from features.schema import Schema
from features.values import shown_time
from training.kernels.columns import LABEL, NUMBERS, PART, TIME, matrix
from training.kernels.kernel import Kernel
from training.parameters import Split, TrainingParameters

DRAWS = 1_000_000
"""Draws are integers below this."""
MAX_VALIDATION_ROWS = 200_000
"""More would not improve early stopping, and all of them are scored after each iteration."""
_INT32 = 1 << 31


class SplitError(BadInputError):
    """Rows that cannot be split as configured."""


class Part(StrEnum):
    """What a row is used for."""

    FIT = "fit"
    VALIDATION = "validation"
    HELD_OUT = "held_out"


PARTS = tuple(Part)
"""A part's index here is its number in arrays."""
Draws = npt.NDArray[np.int64]


def draw(seed: int, purpose: str, record_hash: npt.NDArray[np.int64]) -> Draws:
    """A pseudorandom integer from 0 to `DRAWS`, exclusive, for each row, int64[n]; independent between purposes.

    The hashes of seed, purpose and row are chained. A seed that fits into 4 bytes is hashed as 4, else as 8.
    """
    chain = xxhash.xxh64_intdigest(seed.to_bytes(4 if seed < _INT32 else 8, "little"), HASH_SEED)
    chain = xxhash.xxh64_intdigest(purpose.encode(), chain)
    seeds = np.full(len(record_hash), chain, dtype=np.uint64)
    return hash_whole_numbers(record_hash, seeds).view(np.int64) % DRAWS


def about(
    most: int, record_hash: npt.NDArray[np.int64], *, rows: int, seed: int, purpose: str
) -> npt.NDArray[np.bool_]:
    """Which rows are in a sample of about `most` of `rows` rows, bool[n]; all of them if there are no more.

    They are chosen by their content, so every run chooses the same ones.
    """
    if rows <= most:
        return np.ones(len(record_hash), dtype=np.bool_)
    return draw(seed, purpose, record_hash) < int(DRAWS * most / rows)


def held_out_at_random(parameters: TrainingParameters, record_hash: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which rows a random split holds out, bool[n]."""
    return draw(parameters.seed, "held out", record_hash) >= round(parameters.train_fraction * DRAWS)


@dataclass(frozen=True, kw_only=True)
class Division:
    """How rows are split. `held_out_from` and `watched_from` are times in microseconds, for a split by time."""

    parameters: TrainingParameters
    validation: float
    """Share of the training rows that is set aside for early stopping."""
    held_out_from: int = 0
    watched_from: int = 0

    @classmethod
    def of(cls, parameters: TrainingParameters, cut: Callable[[float], int], *, rows: int) -> "Division":
        """The division of `rows` rows. `cut` gives the microsecond before which a share of them lies."""
        train = parameters.train_fraction
        validation = min(parameters.validation_fraction, MAX_VALIDATION_ROWS / (rows * train))
        if parameters.split is Split.RANDOM:
            return cls(parameters=parameters, validation=validation)
        return cls(
            parameters=parameters,
            validation=validation,
            held_out_from=cut(train),
            watched_from=cut(train * (1 - validation)),
        )

    def parts(self, record_hash: npt.NDArray[np.int64], times: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int8]:
        """The part of each row by its number in `PARTS`, int8[n]."""
        if self.parameters.split is Split.RANDOM or times is None:
            held_out = held_out_at_random(self.parameters, record_hash)
            watched = draw(self.parameters.seed, "validation", record_hash) < round(self.validation * DRAWS)
        else:
            held_out, watched = times >= self.held_out_from, times >= self.watched_from
        number = {part: PARTS.index(part) for part in PARTS}
        return np.where(
            held_out, number[Part.HELD_OUT], np.where(watched, number[Part.VALIDATION], number[Part.FIT])
        ).astype(np.int8)

    def folds(self, record_hash: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """The fold of each row, int32[n] from 0 to `folds`, exclusive."""
        return (draw(self.parameters.seed, "fold", record_hash) % self.parameters.folds).astype(np.int32)


STEPS = 1024
Scan = Callable[[Kernel], pa.Table]
"""Returns the result of a kernel over all rows."""


def time_cut(scan: Scan, fraction: float) -> int:
    """The microsecond before which at most `fraction` of the rows lie, and up to which more of them do.

    Raises `SplitError` if all rows have the same time, or there are none.
    """
    low, high, rows = _span(scan)
    if low == high:
        every = f"the time of all of them is {shown_time(low)}" if rows else "there are no rows"
        raise SplitError(f"`split: time` needs rows of different times, but {every}. Set `split: random`.")
    before, wanted = 0, int(fraction * rows)
    while True:
        step = -(-(high - low + 1) // STEPS)
        counts = _counts(scan, low, high, step)
        through = before + np.cumsum(counts)
        place = int(np.searchsorted(through, wanted, side="right"))
        before = int(through[place] - counts[place])
        low += place * step
        high = min(high, low + step - 1)
        if low == high:
            return low


def _span(scan: Scan) -> tuple[int, int, int]:
    """The first and the last time, and how many rows there are."""
    types = pa.schema([("low", pa.int64()), ("high", pa.int64()), ("rows", pa.int64())])
    found = scan(Kernel(columns=(TIME,), schema=types, function=_spans))
    low, high, rows = (found.column(name).to_numpy() for name in types.names)
    return (int(low.min()), int(high.max()), int(rows.sum())) if len(rows) else (0, 0, 0)


def _spans(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        times = batch.column(0).to_numpy()
        if len(times):
            values = {"low": [times.min()], "high": [times.max()], "rows": [len(times)]}
            yield pa.RecordBatch.from_pydict({name: pa.array(value, pa.int64()) for name, value in values.items()})


def _counts(scan: Scan, low: int, high: int, step: int) -> npt.NDArray[np.int64]:
    """The number of rows in each interval from `low` to `high`, int64[steps]."""
    types = pa.schema([("step", pa.int64()), ("rows", pa.int64())])
    function = partial(_stepped, low=low, high=high, step=step)
    found = scan(Kernel(columns=(TIME,), schema=types, function=function, by=("step",), merged={"rows": "sum"}))
    counts = np.zeros((high - low) // step + 1, dtype=np.int64)
    counts[found.column("step").to_numpy()] = found.column("rows").to_numpy()
    return counts


def _stepped(batches: Iterable[pa.RecordBatch], *, low: int, high: int, step: int) -> Iterator[pa.RecordBatch]:
    counts = np.zeros((high - low) // step + 1, dtype=np.int64)
    for batch in batches:
        times = batch.column(0).to_numpy()
        inside = times[(times >= low) & (times <= high)]
        counts += np.bincount((inside - low) // step, minlength=len(counts))
    steps = np.flatnonzero(counts)
    yield pa.RecordBatch.from_arrays([pa.array(steps), pa.array(counts[steps])], names=["step", "rows"])


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Rows and clicks by part, and for each number the training rows in which it is missing."""

    rows: dict[Part, int]
    clicks: dict[Part, int]
    missing: tuple[int, ...]

    @classmethod
    def of(cls, table: pa.Table) -> "Tally":
        """The result of `tallying` over all rows."""
        found = {PARTS[row.pop(PART)]: row for row in table.to_pylist()}
        width = table.num_columns - 3
        train = [row for part, row in found.items() if part is not Part.HELD_OUT]
        return cls(
            rows={part: found[part]["rows"] if part in found else 0 for part in Part},
            clicks={part: found[part]["clicks"] if part in found else 0 for part in Part},
            missing=tuple(sum(row[_missing(index)] for row in train) for index in range(width)),
        )


def tallying(schema: Schema) -> Kernel:
    """Counts the divided rows of `schema`."""
    sums = ["rows", "clicks", *(_missing(index) for index in range(len(schema.numbers)))]
    return Kernel(
        columns=(LABEL, NUMBERS, PART),
        schema=pa.schema([(PART, pa.int8()), *((name, pa.int64()) for name in sums)]),
        function=partial(_count, width=len(schema.numbers)),
        by=(PART,),
        merged=dict.fromkeys(sums, "sum"),
    )


def _count(batches: Iterable[pa.RecordBatch], *, width: int) -> Iterator[pa.RecordBatch]:
    totals = np.zeros((len(PARTS), 2 + width), dtype=np.int64)
    for batch in batches:
        label, numbers, part = batch.columns
        parts = part.to_numpy()
        counted = np.column_stack([np.ones(len(parts)), label.to_numpy(), np.isnan(matrix(numbers, width))])
        for number in range(len(PARTS)):
            totals[number] += counted[parts == number].sum(axis=0).astype(np.int64)
    present = np.flatnonzero(totals[:, 0])
    columns = [pa.array(present.astype(np.int8)), *(pa.array(column) for column in totals[present].T)]
    names = [PART, "rows", "clicks", *(_missing(index) for index in range(width))]
    yield pa.RecordBatch.from_arrays(columns, names=names)


def _missing(index: int) -> str:
    return f"missing_{index}"
