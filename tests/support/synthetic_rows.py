"""Synthetic rows in memory, and their target encoding by its definition."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.datasets.generated import recipe, synthetic

FOLDS = 5
SMOOTHING = 20.0
MIN_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All blocks of a dataset with each row's probability; a missing category has the code 0."""

    label: npt.NDArray[np.int8]
    numeric: npt.NDArray[np.float64]
    codes: npt.NDArray[np.uint32]
    missing: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.float64]


def rows(count: int, *, seed: int = 42) -> Rows:
    """The dataset of this size and seed."""
    blocks = [synthetic.generate(index, rows=count, seed=seed) for index in range(synthetic.blocks(count))]
    numeric = np.concatenate([block.numeric for block in blocks])
    codes = np.concatenate([block.codes for block in blocks])
    missing = np.concatenate([block.missing for block in blocks])
    return Rows(
        label=np.concatenate([block.label for block in blocks]),
        numeric=numeric,
        codes=np.where(missing, 0, codes).astype(np.uint32),
        missing=missing,
        probability=recipe.probability(numeric, codes, missing),
    )


def encoded(data: Rows, train: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Numbers, then target rate and log count of each category, float64[n, 65]; out of fold for the rows of `train`."""
    fold = np.random.default_rng(7).integers(0, FOLDS, len(data.label))
    base = data.label[train].mean()
    columns = [data.numeric]
    for column in range(data.codes.shape[1]):
        _, value = np.unique(data.codes[:, column], return_inverse=True)
        seen = np.zeros((FOLDS, value.max() + 1))
        clicked = np.zeros_like(seen)
        np.add.at(seen, (fold[train], value[train]), 1)
        np.add.at(clicked, (fold[train], value[train]), data.label[train])
        count = seen.sum(axis=0)[value] - np.where(train, seen[fold, value], 0)
        clicks = clicked.sum(axis=0)[value] - np.where(train, clicked[fold, value], 0)
        rare = count < MIN_ROWS
        pooled = clicks[rare & train].sum() / max(1.0, count[rare & train].sum()) if count[rare & train].sum() else base
        rate = np.where(rare, pooled, (clicks + SMOOTHING * base) / (count + SMOOTHING))
        scale = np.where(train, FOLDS / (FOLDS - 1), 1.0)
        columns += [rate[:, None], np.log1p(count * scale)[:, None]]
    return np.hstack(columns)
