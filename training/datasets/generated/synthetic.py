"""Generated rows in Criteo's format with known click probabilities.

A row's probability is a pure function of its fields (`true_probability`): a category's effect comes from a hash of its
value, and a missing field has its own effect. So the best reachable AUC and log loss can be computed from the rows, and
no column has to leak the label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.schema import CRITEO
from training.datasets.generated import recipe

BLOCK_ROWS = 50_000
"""Rows that share one random stream, so that row `i` depends only on the seed and `i`."""

_HEX_PAIRS = np.array([f"{value:04x}" for value in range(1 << 16)], dtype="S4")
_NIBBLES = np.full(256, 255, dtype=np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16, dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class GeneratedBlock:
    """Consecutive rows: `label` int8[n], `numeric` float64[n, 13] with NaN for missing, and the categories' 32-bit
    values `codes` uint32[n, 26], except where `missing` bool[n, 26]."""

    label: npt.NDArray[np.int8]
    numeric: npt.NDArray[np.float64]
    codes: npt.NDArray[np.uint32]
    missing: npt.NDArray[np.bool_]


def blocks(rows: int) -> int:
    """How many blocks hold `rows` rows."""
    return -(-rows // BLOCK_ROWS)


def generate(index: int, *, rows: int, seed: int) -> GeneratedBlock:
    """Block `index` of a dataset of `rows` rows; the last one may be shorter than `BLOCK_ROWS`."""
    random = np.random.Generator(np.random.SFC64(np.random.SeedSequence([recipe.VERSION, seed, index])))
    numeric = recipe.draw_numeric(random, BLOCK_ROWS)
    codes, missing = recipe.draw_categorical(random, BLOCK_ROWS)
    probability = recipe.probability(numeric, codes, missing)
    label = (random.random(BLOCK_ROWS) < probability).astype(np.int8)
    size = min(BLOCK_ROWS, rows - index * BLOCK_ROWS)
    return GeneratedBlock(label=label[:size], numeric=numeric[:size], codes=codes[:size], missing=missing[:size])


def record_batch(block: GeneratedBlock) -> pa.RecordBatch:
    """A block as Arrow columns in Criteo's order: label int8, numbers int64, categories as 8 hexadecimal digits, null
    for missing."""
    numbers = (_whole(block.numeric[:, column]) for column in range(len(CRITEO.numeric)))
    categories = (
        _hexadecimal(block.codes[:, column], block.missing[:, column]) for column in range(len(CRITEO.categorical))
    )
    return pa.RecordBatch.from_arrays(
        [pa.array(block.label), *numbers, *categories], names=[CRITEO.label, *CRITEO.features]
    )


def true_probability(columns: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Each row's true click probability, float64[n].

    `columns` maps the feature names of `CRITEO` to sequences of length n (a pandas DataFrame will do): numbers with NaN
    for missing, categories as strings with "" for missing.
    """
    numeric = np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in CRITEO.numeric])
    codes = np.zeros((len(numeric), len(CRITEO.categorical)), dtype=np.uint32)
    missing = np.zeros(codes.shape, dtype=np.bool_)
    for column, name in enumerate(CRITEO.categorical):
        codes[:, column], missing[:, column] = _codes(np.asarray(columns[name]).astype("S8"))
    return recipe.probability(numeric, codes, missing)


def _whole(values: npt.NDArray[np.float64]) -> pa.Array:
    absent = np.isnan(values)
    return pa.array(np.where(absent, 0, values).astype(np.int64), mask=absent)


def _hexadecimal(codes: npt.NDArray[np.uint32], missing: npt.NDArray[np.bool_]) -> pa.Array:
    digits = np.empty((len(codes), 2), dtype="S4")
    digits[:, 0] = _HEX_PAIRS[codes >> 16]
    digits[:, 1] = _HEX_PAIRS[codes & 0xFFFF]
    shown = digits[~missing]
    offsets = np.zeros(len(codes) + 1, dtype=np.int32)
    np.cumsum(~missing, out=offsets[1:])
    present = pa.array(~missing).buffers()[1]
    return pa.StringArray.from_buffers(
        len(codes), pa.py_buffer(offsets * 8), pa.py_buffer(np.ascontiguousarray(shown)), present
    )


def _codes(values: npt.NDArray[np.bytes_]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """The 32-bit values of strings of 8 hexadecimal digits, and which strings are empty."""
    missing = values == b""
    digits = _NIBBLES[np.ascontiguousarray(values).view(np.uint8).reshape(-1, 8)].astype(np.uint32)
    codes = np.zeros(len(values), dtype=np.uint32)
    for position in range(8):
        codes = (codes << 4) | (digits[:, position] & 15)
    return codes, missing
