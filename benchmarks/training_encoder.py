"""The encoder at its largest: its size in a bundle, and the cost of a record's look-ups, with Criteo's cardinalities.

The frequencies of Criteo's values aren't known here, so columns are filled in proportion to how many values power laws
give above `min_category_rows`, up to the encoder's limit.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.training_model import FULL_ROWS
from features.counts import MAX_ROWS, MAX_VALUES, thresholds
from features.encoder import Encoder
from features.hashing import hash_values
from features.schema import CRITEO
from scoring.model.encoding import RowEncoder
from scoring.model.records import Values
from training.datasets.generated import recipe
from training.parameters import TrainingParameters

CARDINALITIES = (
    1_460, 583, 10_131_227, 2_202_608, 305, 24, 12_517, 633, 3, 93_145, 5_683, 8_351_593, 3_194,
    27, 14_992, 5_461_306, 10, 5_652, 2_173, 4, 7_046_547, 18, 15, 286_181, 105, 142_572,
)  # fmt: skip
"""Distinct values of the 26 columns in Criteo's 45.8 million rows, from DLRM's documentation."""
RECORDS = 3_000


def measure() -> dict[str, Any]:
    """The encoder's number of `values`, the number that the power laws predict (`modelled_values`), the `megabytes` of
    its files, and the `microseconds` to look up a record's values: with the generator's skew, and with all values
    equally likely, so that most are looked up for the first time."""
    modelled = _modelled_values()
    sizes = _filled(modelled)
    values = [_values(column, size) for column, size in enumerate(sizes)]
    encoder = _encoder(values)
    with TemporaryDirectory() as folder:
        encoder.save(Path(folder))
        megabytes = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
    rows = RowEncoder(CRITEO, encoder)
    random = np.random.default_rng(1)
    for record in _records(values, random, skewed=True):  # warm the service's caches
        rows.encode([record])
    return {
        "values": len(encoder.hashes),
        "modelled_values": int(modelled.sum()),
        "megabytes": megabytes,
        "microseconds": _microseconds(rows, _records(values, random, skewed=True)),
        "microseconds_of_new_values": _microseconds(rows, _records(values, random, skewed=False)),
    }


def _modelled_values() -> npt.NDArray[np.int64]:
    """How many values of each column power laws with the generator's exponents leave above the thresholds, int64[c]."""
    counts = []
    for cardinality, skew in zip(CARDINALITIES, recipe.SKEW, strict=True):
        share = np.arange(1, cardinality + 1, dtype=np.float64) ** -skew
        counts.append(np.minimum(FULL_ROWS * share / share.sum(), MAX_ROWS).astype(np.int64))
    at_least = TrainingParameters().min_category_rows
    values = np.array([np.bincount(rows, minlength=MAX_ROWS + 1) for rows in counts])
    needed = thresholds(values, min_category_rows=at_least)
    return np.array([np.count_nonzero(rows >= least) for rows, least in zip(counts, needed, strict=True)])


def _filled(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The columns' sizes, int64[c], increased in proportion until the encoder is full."""
    room = np.array(CARDINALITIES)
    while sizes.sum() < MAX_VALUES:
        grown = np.minimum(np.ceil(sizes * 1.02).astype(np.int64), room)
        if grown.sum() > MAX_VALUES or (grown == sizes).all():
            break
        sizes = grown
    return sizes


def _values(column: int, size: int) -> list[str]:
    """`size` distinct values in Criteo's format: 8 hexadecimal digits."""
    scrambled = np.arange(size, dtype=np.uint64) * np.uint64(2_654_435_761) + np.uint64(column)
    return [f"{value:08x}" for value in (scrambled & np.uint64(0xFFFFFFFF)).tolist()]


def _encoder(values: Sequence[Sequence[str]]) -> Encoder:
    hashes = [np.sort(hash_values(column)) for column in values]
    offsets = np.cumsum([0, *map(len, hashes)], dtype=np.int64)
    random = np.random.default_rng(0)
    return Encoder(
        columns=CRITEO.categorical,
        offsets=offsets,
        hashes=np.concatenate(hashes),
        rates=random.random(offsets[-1], dtype=np.float32),
        log_counts=random.random(offsets[-1], dtype=np.float32),
        unseen=np.zeros((len(values), 2), dtype=np.float32),
    )


def _records(values: Sequence[Sequence[str]], random: np.random.Generator, *, skewed: bool) -> list[Values]:
    """Records with values as skewed as the generator's, or all equally likely."""
    drawn = random.random((RECORDS, len(values)))
    columns = []
    for column, known in enumerate(values):
        skew = recipe.SKEW[column]
        share = drawn[:, column]
        if skewed:
            exponent = 1.0 - skew if skew != 1.0 else -1e-9
            place = (1.0 + share * ((len(known) + 1.0) ** exponent - 1.0)) ** (1.0 / exponent) - 1.0
        else:
            place = share * len(known)
        columns.append([known[index] for index in np.minimum(place, len(known) - 1).astype(np.int64).tolist()])
    numbers: Values = (1.0,) * len(CRITEO.numeric)
    return [numbers + categories for categories in zip(*columns, strict=True)]


def _microseconds(rows: RowEncoder, records: Sequence[Values]) -> float:
    """The median over records."""
    taken = []
    for record in records:
        began = time.perf_counter_ns()
        rows.encode([record])
        taken.append(time.perf_counter_ns() - began)
    return median(taken) / 1e3
