"""The split: which rows are held out, which are for early stopping, and the folds of the target encoding.

Everything follows from a row's record hash and the seed, so it does not depend on files, chunks or their order. Equal
rows have different hashes (see `training.kernels.hashed`), so each falls on a side of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import xxhash

from features.hashing import HASH_SEED, hash_whole_numbers
from training.datasets.errors import DatasetError
from training.parameters import Split, TrainingParameters

DRAWS = 1_000_000
"""Draws are integers below this."""
MAX_VALIDATION_ROWS = 200_000
"""More would not improve early stopping, and all of them are scored after each iteration."""
_INT32 = 1 << 31


class SplitError(DatasetError):
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
