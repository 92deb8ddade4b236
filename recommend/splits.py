"""Splits of interactions into training and test rows, as the recommenders project makes them.

Its `python_stratified_split` shuffles the rows of each user (or item) and takes the first 75 % for training; its
`python_chrono_split` takes the first ones by time.
https://github.com/recommenders-team/recommenders/blob/main/recommenders/datasets/python_splitters.py
"""

import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices, Mask
from recommend.interactions import Interactions

TRAINING_SHARE = 0.75


def by_item(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: `share` of each item's rows at random."""
    return _first_of_each(interactions.items, _numbers(len(interactions), seed), share)


def by_user(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: `share` of each user's rows at random."""
    return _first_of_each(interactions.users, _numbers(len(interactions), seed), share)


def by_time(interactions: Interactions, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: the first `share` of each user's rows by time.

    Rows of the same time keep their order. Raises `ValueError` for interactions without times.
    """
    if interactions.times is None:
        raise ValueError("interactions without times cannot be split by time")
    return _first_of_each(interactions.users, interactions.times, share)


def by_moment(interactions: Interactions, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: `share` of all rows, those until a moment.

    Raises `ValueError` like `by_time`.
    """
    if interactions.times is None:
        raise ValueError("interactions without times cannot be split by time")
    return interactions.times <= np.quantile(interactions.times, share, method="lower")


def _numbers(rows: int, seed: int) -> npt.NDArray[np.float64]:
    # The legacy generator, because published figures depend on its numbers.
    return np.random.RandomState(seed).rand(rows)


def _first_of_each(groups: Indices, order: npt.NDArray[np.float64], share: float) -> Mask:
    """Which rows are among the first `share` of their group's rows, rounded, in `order`."""
    rows = np.lexsort((order, groups))
    sorted_groups = groups[rows]
    starts = np.searchsorted(sorted_groups, sorted_groups)
    counts = np.bincount(groups)
    # Both this and pandas, which the published splits use, round halves to even.
    limits = np.round(share * counts[sorted_groups])
    mask = np.zeros(len(groups), dtype=np.bool_)
    mask[rows] = np.arange(len(groups)) - starts < limits
    return mask
