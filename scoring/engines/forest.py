"""A LightGBM model's trees as arrays for the kernel, if they are of the kind that training produces.

LightGBM's `tree.h` and `tree.cpp` define a model file's fields (`Tree::Tree(const char*)`, `NumericalDecision`). A
number goes left if it is at most the threshold. A missing number goes to the split's default side, or counts as zero if
the split has none.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.bundle import fields_of
from scoring.native import Kernel

DEFAULT_LEFT, MISSING = 2, 12
"""Bits of a split's `decision_type`."""

NO_MISSING, MISSING_IS_NAN = 0, 8
"""Supported values of the bits `MISSING`; the third value, which treats zeros as missing, isn't supported."""

MOST_LEAVES = 256
"""The most leaves of a tree, since all its splits are compared: with twice as many, LightGBM, which walks, takes half
the time for a single row, and little more for each of 64."""
TOGETHER = 64
"""The leaves of a piece of a tree: each is a bit of a number."""

LANES = 4
"""The kernel compares so many splits at a time; each piece has a multiple of them."""

ZERO = float(np.float32(1e-35))
"""LightGBM's `kZeroThreshold` (`meta.h`): numbers whose absolute value is at most this count as zero."""

OBJECTIVE = re.compile(r"binary sigmoid:(?P<sigmoid>[\d.]+)")


class _Piece(NamedTuple):
    """At most `TOGETHER` neighbouring leaves of a tree by their `values`, float64[l], and the s splits above them.

    Leaves are bits: `right`, uint64[s], has those that are left for numbers above a split's threshold, and `differing`,
    uint64[s], where those for the others differ. `columns`, uint32[s], are features, or behind all of these the same
    with a missing number as the smallest one.
    """

    thresholds: npt.NDArray[np.float64]
    right: npt.NDArray[np.uint64]
    differing: npt.NDArray[np.uint64]
    columns: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float64]


def open_forest(model: Path, features: int, kernel: Kernel) -> object | None:
    """A model file's trees, prepared for `kernel.predict`; None if the kernel doesn't support them."""
    head, *texts = re.split(r"^Tree=\d+$", model.read_text(), flags=re.MULTILINE)
    objective = OBJECTIVE.fullmatch(fields_of(head).get("objective", ""))
    if objective is None or "average_output" in head.splitlines() or not texts:
        return None
    pieces: list[_Piece] = []
    for text in texts:
        tree = _tree(fields_of(text.lstrip("\n")), features)
        if tree is None:
            return None
        pieces += tree
    counts = [(0, 0), *((len(piece.thresholds), len(piece.values)) for piece in pieces)]
    return kernel.prepare_forest(
        features,
        float(objective["sigmoid"]),
        np.concatenate([piece.thresholds for piece in pieces]),
        np.concatenate([piece.right for piece in pieces]),
        np.concatenate([piece.differing for piece in pieces]),
        np.concatenate([piece.columns for piece in pieces]),
        np.concatenate([piece.values for piece in pieces]),
        np.cumsum(counts, axis=0).astype(np.uint32),
    )


def _tree(fields: Mapping[str, str], features: int) -> list[_Piece] | None:
    """A tree's pieces, their leaves from left to right; None if the tree isn't supported."""
    values = _numbers(fields["leaf_value"])
    if int(fields.get("num_cat", 0)) or int(fields.get("is_linear", 0)) or len(values) > MOST_LEAVES:
        return None
    if len(values) == 1:
        return [_piece(np.zeros(0), np.zeros(0, np.uint32), [], values, 0)]
    kinds = _numbers(fields["decision_type"]).astype(np.int64)
    if not set((kinds & MISSING).tolist()) <= {NO_MISSING, MISSING_IS_NAN}:
        return None
    thresholds = _numbers(fields["threshold"])
    near = np.abs(thresholds) <= ZERO  # LightGBM compares numbers within `ZERO` of zero as zero
    thresholds[near] = np.where(thresholds[near] >= 0, ZERO, np.nextafter(-ZERO, -np.inf))
    nan_as_small = np.where((kinds & MISSING) == MISSING_IS_NAN, (kinds & DEFAULT_LEFT) > 0, thresholds >= 0)
    columns = (_numbers(fields["split_feature"]) + features * nan_as_small).astype(np.uint32)
    left, right = (_numbers(fields[f"{side}_child"]).astype(np.int64).tolist() for side in ("left", "right"))
    order, sides = _leaves(left, right)
    return [
        _piece(thresholds, columns, sides, values[order[start : start + TOGETHER]], start)
        for start in range(0, len(order), TOGETHER)
    ]


def _leaves(left: Sequence[int], right: Sequence[int]) -> tuple[list[int], list[tuple[int, int, int]]]:
    """The leaves from left to right, and for each split the places of the first one on its left, of the first on its
    right, and of the first after these. Children below 0 are leaves; splits come before their children.
    """
    counts = [0] * len(left)
    for split in reversed(range(len(left))):
        counts[split] = sum(counts[child] if child >= 0 else 1 for child in (left[split], right[split]))
    order, sides = [0] * (len(left) + 1), []
    first = {0: 0}
    for split in range(len(left)):
        start = first[split]
        middle = start + (counts[left[split]] if left[split] >= 0 else 1)
        sides.append((start, middle, start + counts[split]))
        for child, place in ((left[split], start), (right[split], middle)):
            if child >= 0:
                first[child] = place
            else:
                order[place] = ~child
    return order, sides


def _piece(
    thresholds: npt.NDArray[np.float64],
    columns: npt.NDArray[np.uint32],
    sides: Sequence[tuple[int, int, int]],
    values: npt.NDArray[np.float64],
    start: int,
) -> _Piece:
    """The piece with these leaves of a tree, which begin at the place `start`."""
    every, above, masks = (1 << len(values)) - 1, [], []
    for split, (first, middle, end) in enumerate(sides):
        on_left, on_right = (_bits(*side, start) & every for side in ((first, middle), (middle, end)))
        if on_left | on_right:
            above.append(split)
            masks.append((every & ~on_left, on_left | on_right))
    added = -len(above) % LANES
    right, differing = np.array([*masks, *[(every, 0)] * added], dtype=np.uint64).reshape(-1, 2).T.copy()
    return _Piece(
        thresholds=np.pad(thresholds[above], (0, added)),
        right=right,
        differing=differing,
        columns=np.pad(columns[above], (0, added)),
        values=values,
    )


def _bits(first: int, end: int, start: int) -> int:
    """The bits of the places from `first` to before `end`, where bit 0 is the place `start`."""
    return ((1 << max(end - start, 0)) - 1) & ~((1 << max(first - start, 0)) - 1)


def _numbers(text: str) -> npt.NDArray[np.float64]:
    return np.array([float(part) for part in text.split()])
