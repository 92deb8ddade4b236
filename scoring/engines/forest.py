"""A LightGBM model's trees as arrays for the kernel, if they are of the kind that training produces.

LightGBM's `tree.h` and `tree.cpp` define a model file's fields (`Tree::Tree(const char*)`, `NumericalDecision`). A
number goes left if it is at most the threshold. A missing number goes to the split's default side, or counts as zero if
the split has none.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scoring.native import Kernel

DEFAULT_LEFT, MISSING = 2, 12
"""Bits of a split's `decision_type`."""

NO_MISSING, MISSING_IS_NAN = 0, 8
"""Supported values of the bits `MISSING`; the third value, which treats zeros as missing, isn't supported."""

MOST = 1 << 16
"""The most nodes of a tree, and the most features: both are numbered with 16 bits."""

NODE = np.dtype([("threshold", "f8"), ("children", "u2", 2), ("feature", "u2"), ("nan_as_small", "u2")])
"""A split or a leaf. The first child is for numbers above the threshold; a leaf's children are the leaf itself."""

ZERO = float(np.float32(1e-35))
"""LightGBM's `kZeroThreshold` (`meta.h`): numbers whose absolute value is at most this count as zero."""

OBJECTIVE = re.compile(r"binary sigmoid:(?P<sigmoid>[\d.]+)")


class _Tree(NamedTuple):
    nodes: npt.NDArray[np.void]
    values: npt.NDArray[np.float64]
    depth: int


def open_forest(model: Path, features: int, kernel: Kernel) -> object | None:
    """A model file's trees, prepared for `kernel.predict`; None if the kernel doesn't support them."""
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
    """The lines `name=value` before the first empty line, as a mapping."""
    return dict(_pairs(text.strip("\n").split("\n\n", 1)[0]))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator:
            yield name, value


def _tree(fields: Mapping[str, str]) -> _Tree | None:
    """A tree's nodes, splits first; None if the tree isn't supported."""
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
    if not set((kinds & MISSING).tolist()) <= {NO_MISSING, MISSING_IS_NAN}:
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
    """Thresholds adjusted so that numbers within `ZERO` of zero are compared as zero, as LightGBM does."""
    near = np.abs(thresholds) <= ZERO
    return np.where(near, np.where(thresholds >= 0, ZERO, np.nextafter(-ZERO, -np.inf)), thresholds)


def _depth(children: npt.NDArray[np.int64], splits: int) -> int:
    """The number of steps from the root to the deepest leaf."""
    depth, level = 0, np.zeros(1, dtype=np.int64)
    while len(level := level[level < splits]):
        depth += 1
        level = children[level].ravel()
    return depth


def _numbers(text: str) -> npt.NDArray[np.float64]:
    return np.array([float(part) for part in text.split()])
