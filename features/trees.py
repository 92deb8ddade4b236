"""A LightGBM model's file, checked before anything computes with it.

LightGBM and the kernel in C trust the numbers in the file. A split by an input that does not exist reads foreign
memory, and a tree that leads back to itself never ends. LightGBM's `tree.cpp` (`Tree::Tree(const char*)`) and
`gbdt_model_text.cpp` define the format.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.errors import PersonalizationError, reason

_TREE = re.compile(r"^(?=Tree=\d+$)", re.MULTILINE)
_END = "end of trees"
_WHOLE = re.compile(r"(?:-?[0-9]{1,10}(?: -?[0-9]{1,10})*)?")
_CATEGORICAL = 1
"""The bit of a split's `decision_type`."""


class TreesError(PersonalizationError):
    """A model file that training doesn't write."""


def check_trees(model: Path, inputs: int) -> None:
    """Raise `TreesError` unless all inputs, splits, leaves and sets of categories that the trees name exist.

    Raises `OSError` for a file that can't be read.
    """
    try:
        head, *trees = _TREE.split(model.read_bytes().decode())
        trees[-1:] = [tree.split(_END, 1)[0] for tree in trees[-1:]]
        _check_head(_fields(head), [len(tree) for tree in trees])
        for tree in trees:
            _check_tree(_fields(tree), inputs)
    except (ValueError, KeyError) as error:
        raise TreesError(
            f"The model file {model} was altered, or is not one that training writes: {reason(error)}. Train the model "
            "again."
        ) from error


def _fields(text: str) -> dict[str, str]:
    """The lines `name=value` before the first empty line; raises `ValueError` if a name stands twice."""
    found: dict[str, str] = {}
    for line in text.split("\n\n", 1)[0].split("\n"):
        name, _, value = line.partition("=")
        if name in found:
            raise ValueError(f"{name} stands twice")
        found[name] = value
    return found


def _check_head(head: Mapping[str, str], sizes: list[int]) -> None:
    """One probability a row, and trees where LightGBM looks for them."""
    for name in ("num_class", "num_tree_per_iteration"):
        if head[name] != "1":
            raise ValueError(f"{name} is {head[name]}, and must be 1")
    if "tree_sizes" in head and _whole(head, "tree_sizes").tolist() != sizes:
        raise ValueError("tree_sizes are not those of its trees")


def _check_tree(tree: Mapping[str, str], inputs: int) -> None:
    (leaves,) = _whole(tree, "num_leaves", 1)
    splits, name = leaves - 1, f"tree {tree['Tree']}"
    if len(tree["leaf_value"].split()) != leaves or splits < 0:
        raise ValueError(f"{name} has not the {leaves} leaves that it says")
    if tree.get("is_linear", "0") != "0":
        raise ValueError(f"{name} is linear")
    if not splits:
        return
    split_by, kinds, left, right = (
        _whole(tree, field, splits) for field in ("split_feature", "decision_type", "left_child", "right_child")
    )
    if split_by.min() < 0 or split_by.max() >= inputs:
        raise ValueError(f"{name} splits by an input beyond the {inputs} that there are")
    if not _is_tree(left, right):
        raise ValueError(f"{name} has splits whose children are not one tree")
    thresholds = np.array([float(text) for text in tree["threshold"].split()])
    if len(thresholds) != splits:
        raise ValueError(f"{name} has {len(thresholds)} thresholds for {splits} splits")
    _check_sets(tree, thresholds[(kinds & _CATEGORICAL) > 0])


def _is_tree(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> bool:
    """Whether each leaf, and each split but the first, is the child of one split before it. Children below 0 are
    leaves.
    """
    parents, children = np.tile(np.arange(len(left)), 2), np.concatenate([left, right])
    inner = children >= 0
    return (
        np.array_equal(np.sort(children[inner]), np.arange(1, len(left)))
        and np.array_equal(np.sort(~children[~inner]), np.arange(len(left) + 1))
        and bool(np.all(children[inner] > parents[inner]))
    )


def _check_sets(tree: Mapping[str, str], chosen: npt.NDArray[np.float64]) -> None:
    """The thresholds of categorical splits number sets of categories, which lie one after the other as bits."""
    (sets,) = _whole(tree, "num_cat", 1) if "num_cat" in tree else (0,)
    if not np.isin(chosen, np.arange(max(sets, 0))).all():
        raise ValueError(f"tree {tree['Tree']} splits by a set of categories beyond the {sets} that there are")
    if sets > 0:
        bounds = _whole(tree, "cat_boundaries", sets + 1).tolist()
        _whole(tree, "cat_threshold", bounds[-1])
        if bounds[0] != 0 or any(end <= start for start, end in pairwise(bounds)):
            raise ValueError(f"tree {tree['Tree']} has sets of categories that overlap")


def _whole(fields: Mapping[str, str], name: str, count: int | None = None) -> npt.NDArray[np.int64]:
    """The whole numbers in a field; raises `ValueError` if they are others than these, or not so many."""
    text = fields[name].strip(" ")
    numbers = np.array(text.split(), dtype=np.int64) if _WHOLE.fullmatch(text) else None
    if numbers is None or count not in {None, len(numbers)}:
        raise ValueError(f"{name} is not a list of {'' if count is None else count} whole numbers")
    return numbers
