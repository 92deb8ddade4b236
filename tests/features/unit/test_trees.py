"""Model files of which LightGBM or the kernel would read foreign memory, or never end, are refused when loaded."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest

from features.bundle import TreesError, check_trees

FEATURES = 4
Altered = Callable[[str], str]


def fitted(folder: Path, **parameters: Any) -> Path:
    """The file of a model by LightGBM."""
    inputs = np.random.default_rng(0).normal(size=(600, FEATURES))
    labels = ((inputs[:, 0] > 0) ^ (inputs[:, 1] > 0)).astype(int)
    settings = {"objective": "binary", "verbose": -1, "num_leaves": 8, "num_threads": 1, **parameters}
    booster = lightgbm.train(settings, lightgbm.Dataset(inputs, labels), 3)
    booster.save_model(folder / "model.txt")
    return folder / "model.txt"


@pytest.mark.parametrize("parameters", [{}, {"min_data_in_leaf": 10_000}, {"num_leaves": 300}])
def test_what_lightgbm_writes_is_right(tmp_path: Path, parameters: dict[str, Any]) -> None:
    check_trees(fitted(tmp_path, **parameters), FEATURES)


def with_field(name: str, change: Callable[[list[str]], list[str]]) -> Altered:
    """Changes the values of a field of the first tree, and the size of it that the head names."""

    def altered(text: str) -> str:
        head, tree, *others = re.split(r"^(?=Tree=\d+$)", text, flags=re.MULTILINE)
        line = next(line for line in tree.split("\n") if line.startswith(f"{name}="))
        changed = tree.replace(line, f"{name}={' '.join(change(line.partition('=')[2].split()))}", 1)
        head = head.replace(f"tree_sizes={len(tree)}", f"tree_sizes={len(changed)}")
        return "".join([head, changed, *others])

    return altered


def first(value: str) -> Callable[[list[str]], list[str]]:
    return lambda values: [value, *values[1:]]


@pytest.mark.parametrize(
    "alter",
    [
        with_field("split_feature", first("9")),
        with_field("split_feature", first("-1")),
        with_field("split_feature", first("4294967297")),
        with_field("split_feature", first("1.5")),
        with_field("split_feature", lambda values: values[:-1]),
        with_field("left_child", first("0")),
        with_field("left_child", first("7")),
        with_field("right_child", first("-99")),
        with_field("right_child", lambda values: values[::-1]),
        with_field("left_child", lambda values: [*values, "1"]),
        with_field("num_leaves", first("80")),
        with_field("num_leaves", first("0")),
        with_field("leaf_value", lambda values: values[:-1]),
        with_field("threshold", lambda values: values[:-1]),
        with_field("decision_type", first("1")),
        with_field("is_linear", first("1")),
        with_field("num_cat", first("1")),
        lambda text: text.replace("num_class=1", "num_class=3"),
        lambda text: text.replace("num_tree_per_iteration=1", "num_tree_per_iteration=3"),
        lambda text: re.sub("tree_sizes=[0-9]+", "tree_sizes=99999", text),
        lambda text: text.replace("Tree=1\n", "Tree=1\nnum_leaves=2\n"),
    ],
)
def test_an_altered_file_is_refused(tmp_path: Path, alter: Altered) -> None:
    model = fitted(tmp_path)
    text = model.read_text()
    model.write_text(alter(text))
    assert model.read_text() != text
    with pytest.raises(TreesError, match=r"model\.txt was altered"):
        check_trees(model, FEATURES)


def test_splits_that_lead_back_are_no_tree(tmp_path: Path) -> None:
    """Each leaf and each split has one parent, but the second and third split are each other's."""
    model = fitted(tmp_path, num_leaves=4)
    text = with_field("left_child", lambda _: ["-1", "2", "1"])(model.read_text())
    model.write_text(with_field("right_child", lambda _: ["-2", "-3", "-4"])(text))
    with pytest.raises(TreesError, match="not one tree"):
        check_trees(model, FEATURES)
