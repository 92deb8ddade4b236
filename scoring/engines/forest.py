"""A LightGBM model's trees as arrays that the kernel walks, where they are of the kind that training makes.

What the fields of a model file mean is said by LightGBM's own `tree.h` and `tree.cpp` (`Tree::Tree(const char*)`,
`NumericalDecision`): a number goes left when it is at most the threshold; a number that is missing goes to the default
side where a split has one, and counts as zero where it has none.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scoring.native import Kernel

CATEGORICAL, DEFAULT_LEFT, MISSING = 1, 2, 12
"""Bits of a split's `decision_type`."""

NO_MISSING, MISSING_IS_NAN = 0, 8
"""What the bits `MISSING` say; the third kind takes zeros for missing numbers."""

MOST = 1 << 16
"""Nodes of a tree, and features: the numbers of both have 16 bits."""

NODE = np.dtype([("threshold", "f8"), ("children", "u2", 2), ("feature", "u2"), ("nan_as_small", "u2")])
"""A split, or a leaf, which leads to itself. The first child is that of numbers above the threshold."""

ZERO = float(np.float32(1e-35))
"""LightGBM's `kZeroThreshold` (`meta.h`): what is not above it is left out of a row, as a zero is."""

OBJECTIVE = re.compile(r"binary sigmoid:(?P<sigmoid>[\d.]+)")


class _Tree(NamedTuple):
    nodes: npt.NDArray[np.void]
    values: npt.NDArray[np.float64]
    depth: int


def open_forest(model: Path, features: int, kernel: Kernel) -> object | None:
    """The trees of a model file, made ready for `kernel.predict`; None when LightGBM has to compute them itself."""
    head, *texts = re.split(r"^Tree=\d+$", model.read_text(), flags=re.MULTILINE)
    objective = OBJECTIVE.fullmatch(_fields(head).get("objective", ""))
    if objective is None or features > MOST or "average_output" in head.splitlines() or not texts:
        return None
    trees = []
    for text in texts:
        tree = _tree(_fields(text))
        if tree is None:
            return None
        trees.append(tree)
    return kernel.prepare_forest(
        features,
        float(objective["sigmoid"]),
        np.concatenate([tree.nodes for tree in trees]),
        np.concatenate([tree.values for tree in trees]),
        np.cumsum([0, *(len(tree.nodes) for tree in trees)]).astype(np.uint32),
        np.array([tree.depth for tree in trees], dtype=np.int32),
    )


def _fields(text: str) -> dict[str, str]:
    """The lines `name=value` up to the first empty one behind them."""
    return dict(_pairs(text.strip("\n").split("\n\n", 1)[0]))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator:
            yield name, value


def _tree(fields: Mapping[str, str]) -> _Tree | None:
    """A tree's nodes, splits first; None for one of another kind than this module knows."""
    leaves = int(fields["num_leaves"])
    splits = leaves - 1
    if int(fields.get("num_cat", 0)) or int(fields.get("is_linear", 0)) or splits + leaves > MOST:
        return None
    nodes = np.zeros(splits + leaves, dtype=NODE)
    values = np.zeros(splits + leaves)
    values[splits:] = _numbers(fields["leaf_value"])
    nodes["threshold"] = np.inf
    nodes["children"] = np.arange(splits + leaves)[:, np.newaxis]
    if not splits:
        return _Tree(nodes, values, 0)
    kinds = _numbers(fields["decision_type"]).astype(np.int64)
    if np.any(kinds & CATEGORICAL) or not set((kinds & MISSING).tolist()) <= {NO_MISSING, MISSING_IS_NAN}:
        return None
    thresholds = _beside_zero(_numbers(fields["threshold"]))
    children = np.column_stack([_numbers(fields[side]).astype(np.int64) for side in ("right_child", "left_child")])
    children = np.where(children < 0, splits + ~children, children)
    nodes["threshold"][:splits] = thresholds
    nodes["children"][:splits] = children
    nodes["feature"][:splits] = _numbers(fields["split_feature"])
    default = (kinds & DEFAULT_LEFT) > 0
    nodes["nan_as_small"][:splits] = np.where((kinds & MISSING) == MISSING_IS_NAN, default, thresholds >= 0)
    return _Tree(nodes, values, _depth(children, splits))


def _beside_zero(thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Thresholds that part numbers as LightGBM does, for which a number no further from zero than `ZERO` is zero."""
    near = np.abs(thresholds) <= ZERO
    return np.where(near, np.where(thresholds >= 0, ZERO, np.nextafter(-ZERO, -np.inf)), thresholds)


def _depth(children: npt.NDArray[np.int64], splits: int) -> int:
    """Steps from the root to the deepest leaf."""
    depth, level = 0, np.zeros(1, dtype=np.int64)
    while len(level := level[level < splits]):
        depth += 1
        level = children[level].ravel()
    return depth


def _numbers(text: str) -> npt.NDArray[np.float64]:
    return np.array([float(part) for part in text.split()])
