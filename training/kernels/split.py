"""The split: which rows are held out, which are for early stopping, and the folds of the target encoding.

Everything follows from a row's record hash and the seed, so it does not depend on files, chunks or their order. Equal
rows have different hashes (see `training.kernels.hashed`), so each falls on a side of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from training.kernels.columns import LABEL, NUMBERS, PART, RECORD_HASH, TIME, matrix
from training.kernels.kernel import Kernel
from training.parameters import Split, TrainingParameters

DRAWS = 1_000_000
"""Draws are integers below this."""
MAX_VALIDATION_ROWS = 200_000
"""More would not improve early stopping, and all of them are scored after each iteration."""
MOST_TIMES = 1_000_000
"""Rows of which the times decide where a split by time cuts; a sample of more. Its shares are right to 0.001."""
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
Scan = Callable[[Kernel], pa.Table]
"""Returns the result of a kernel over all rows."""


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
    def of(cls, parameters: TrainingParameters, scan: Scan, *, rows: int) -> "Division":
        """The division of the `rows` rows that `scan` reads; raises `SplitError` like `moments`."""
        train = parameters.train_fraction
        validation = min(parameters.validation_fraction, MAX_VALIDATION_ROWS / (rows * train))
        if parameters.split is Split.RANDOM:
            return cls(parameters=parameters, validation=validation)
        held_out, watched = moments(scan, [train, train * (1 - validation)], rows=rows)
        return cls(parameters=parameters, validation=validation, held_out_from=held_out, watched_from=watched)

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


def sampling(types: pa.Schema, *, most: int, rows: int, seed: int, purpose: str) -> Kernel:
    """Keeps the columns `types`, with `RECORD_HASH` among them, of about `most` of the `rows` rows."""
    choose = partial(about, most, rows=rows, seed=seed, purpose=purpose)
    return Kernel(columns=tuple(types.names), schema=types, function=partial(_sampled, types=types, choose=choose))


def _sampled(
    batches: Iterable[pa.RecordBatch],
    *,
    types: pa.Schema,
    choose: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]],
) -> Iterator[pa.RecordBatch]:
    place = types.names.index(RECORD_HASH)
    for batch in batches:
        kept = batch.filter(pa.array(choose(batch.column(place).to_numpy())))
        yield from pa.Table.from_batches([kept]).rename_columns(types.names).cast(types).to_batches()


def moments(scan: Scan, shares: Sequence[float], *, rows: int) -> list[int]:
    """For each of the `shares`, the first microsecond at which more than that share of the `rows` rows have passed.

    Of many rows a sample decides, the same for every seed, so that models with other seeds can be compared. Raises
    `SplitError` if all rows have the same time, or there are none.
    """
    types = pa.schema([(RECORD_HASH, pa.int64()), (TIME, pa.int64())])
    found = scan(sampling(types, most=MOST_TIMES, rows=rows, seed=0, purpose="times"))
    times = np.sort(found.column(TIME).to_numpy())
    if len(times) == 0 or times[0] == times[-1]:
        every = f"the time of all of them is {shown_time(int(times[0]))}" if len(times) else "there are no rows"
        raise SplitError(f"`split: time` needs rows of different times, but {every}. Set `split: random`.")
    return [int(times[int(share * len(times))]) for share in shares]


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
