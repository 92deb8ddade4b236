"""Splits of interactions into training and test rows, as the recommenders project makes them.

Its `python_stratified_split` shuffles the rows of each user (or item) and takes the first 75 % for training; its
`python_chrono_split` takes the first ones by time. That one leaves rows of the same time in their order, which often is
that of items: where times are dates, the hold-out would then have the items with the highest numbers.
https://github.com/recommenders-team/recommenders/blob/main/recommenders/datasets/python_splitters.py
"""

import numpy as np
import numpy.typing as npt

from features.hashing import hash_whole_numbers
from recommend.arrays import Indices, Mask
from recommend.interactions import Interactions

TRAINING_SHARE = 0.75


def by_item(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: `share` of each item's rows at random."""
    return _first_of_each(interactions.items, share, _numbers(len(interactions), seed))


def by_user(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: `share` of each user's rows at random."""
    return _first_of_each(interactions.users, share, _numbers(len(interactions), seed))


def by_time(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: the first `share` of each user's rows by time.

    `seed`, the user and the item decide the order of rows of the same time. Raises `ValueError` for interactions
    without times.
    """
    if interactions.times is None:
        raise ValueError("interactions without times cannot be split by time")
    return _first_of_each(interactions.users, share, interactions.times, _ties(interactions, seed))


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


def _ties(interactions: Interactions, seed: int) -> npt.NDArray[np.uint64]:
    seeds = np.full(len(interactions), seed, np.int64).view(np.uint64)
    return hash_whole_numbers(interactions.items, hash_whole_numbers(interactions.users, seeds))


def _first_of_each(groups: Indices, share: float, *order: npt.NDArray[np.generic]) -> Mask:
    """Which rows are among the first `share` of their group's rows, rounded, by the numbers in `order`, the first one
    first.
    """
    rows = np.lexsort((*reversed(order), groups))
    sorted_groups = groups[rows]
    starts = np.searchsorted(sorted_groups, sorted_groups)
    counts = np.bincount(groups)
    # Both this and pandas, which the published splits use, round halves to even.
    limits = np.round(share * counts[sorted_groups])
    mask = np.zeros(len(groups), dtype=np.bool_)
    mask[rows] = np.arange(len(groups)) - starts < limits
    return mask
