"""LightGBM's model text in parts, to change the leaves of trees and to join the trees of several models.

A model's raw score is the sum of its trees' leaves, so the trees of k models, with each leaf divided by k, are their
mean.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from training.model.native import lightgbm

_NUMBER = re.compile(r"^Tree=\d+$", re.MULTILINE)
_TREE = re.compile(r"^(?=Tree=\d+$)", re.MULTILINE)
_END = "end of trees"
_LEAVES = re.compile(r"^leaf_value=(.*)$", re.MULTILINE)
_SIZES = re.compile(r"^tree_sizes=.*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Trees:
    """The text of each tree, and the text before and after them."""

    head: str
    trees: tuple[str, ...]
    end: str

    @classmethod
    def of(cls, model: str) -> Self:
        """The parts of a model's text."""
        head, *trees = _TREE.split(model)
        trees[-1], end = trees[-1].split(_END, 1)
        return cls(head=head, trees=tuple(trees), end=_END + end)

    def text(self) -> str:
        """The model's text, with the trees renumbered."""
        trees = [_NUMBER.sub(f"Tree={number}", tree, count=1) for number, tree in enumerate(self.trees)]
        sizes = " ".join(str(len(tree)) for tree in trees)
        return _SIZES.sub(f"tree_sizes={sizes}", self.head) + "".join(trees) + self.end


def with_leaves(tree: str, change: Callable[[float], float]) -> str:
    """The text of a tree with changed leaves."""

    def leaves(line: re.Match[str]) -> str:
        return "leaf_value=" + " ".join(repr(change(float(value))) for value in line[1].split())

    return _LEAVES.sub(leaves, tree)


def mean_of(models: Sequence[str]) -> str:
    """LightGBM's text of the mean of `models`, at least one."""
    if len(models) == 1:
        return models[0]
    parts = [Trees.of(model) for model in models]
    trees = tuple(with_leaves(tree, lambda value: value / len(models)) for part in parts for tree in part.trees)
    joined = Trees(head=parts[0].head, trees=trees, end=parts[0].end).text()
    return lightgbm.Booster(model_str=joined).model_to_string()  # recomputes the number of splits per input
