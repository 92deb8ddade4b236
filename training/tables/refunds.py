"""Which choices stand where some interactions are refunds: these take back what was bought before them."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recommend.arrays import Mask
from recommend.histories import MOST_KINDS
from recommend.interactions import LATE
from training.config import ONE_TIME
from training.errors import EmptyDatasetError
from training.kernels.columns import LABEL, TIME
from training.tables.columns import KEYS
from training.tables.typed import AMOUNT, BASKET, TableRules

REFUNDS, REFUNDED, NOTHING, FAR_AFTER = "refunds", "refunded", "nothing", "far after"
_ROUNDING = 1e-9
"""What sums of amounts such as 0.1 and 0.2 are off by, at most."""
A_DAY = 86_400_000_000
Numbers = npt.NDArray[np.int64]


def standing(columns: Mapping[str, pa.Array], rules: TableRules, *, whole: bool = True) -> tuple[Mask, Counter[str]]:
    """Which interactions are choices that no refund takes back, bool[n], and how many are `ONE_TIME`, `REFUNDS`,
    `REFUNDED`, purchases of `NOTHING`, or `FAR_AFTER` others; see `TypedTable`. Raises `EmptyDatasetError` if none
    stands of a `whole` table.

    What a user bought of an item in one basket is taken back together. A refund without a basket, or with one of its
    own, takes back the latest purchase before it. Each kind of choices has refunds of its own. An interaction without
    an amount, NaN, is neither, nor is a weaker choice with an amount of 0.
    """
    rows, users = len(next(iter(columns.values()))), columns.get(KEYS["users"])
    is_guest = np.zeros(rows, np.bool_) if users is None else pc.equal(users, "").to_numpy(zero_copy_only=False)
    found = Counter[str]({ONE_TIME: int(is_guest.sum()), FAR_AFTER: _far_after(columns)})
    if AMOUNT not in columns or not rows:
        return np.ones(rows, np.bool_), found
    amount, nothing, baskets = columns[AMOUNT].to_numpy(), np.zeros(rows, np.int64), np.arange(rows) + rows
    times = columns[TIME].to_numpy() if TIME in columns else nothing
    if BASKET in columns:
        baskets = np.where(pc.equal(columns[BASKET], ""), baskets, codes_of(columns[BASKET]))
    kinds = columns[LABEL].to_numpy() if LABEL in columns else nothing
    pairs = np.where(is_guest, -1 - baskets, codes_of(users)) * rows + codes_of(columns[KEYS["items"]])
    pairs = pairs * MOST_KINDS + kinds
    order = np.lexsort((baskets, pairs))
    changes = [np.diff(one[order], prepend=one[order[0]] - 1) for one in (baskets, pairs)]
    starts = np.flatnonzero(changes[0] | changes[1])
    bought = np.nan_to_num(amount)[order]
    left = np.add.reduceat(bought, starts)
    if (alone := (left < 0) & (np.maximum.reduceat(bought, starts) <= 0)).any():
        _take_back(left, alone, pairs[order][starts], np.minimum.reduceat(times[order], starts))
    of_each = np.empty(rows)
    of_each[order] = np.repeat(left, np.diff(starts, append=rows))
    is_refund, taken_back, of_nothing = amount < 0, (amount > 0) & (of_each <= _ROUNDING), (amount == 0) & (kinds == 0)
    stands = ~is_refund & ~taken_back & ~of_nothing
    if whole and not stands.any():
        raise EmptyDatasetError(
            f"{rules.source.shown}: `refunds: {rules.source.refunds}` takes back each of its {rows:,} purchases. Name "
            "the column whose negative numbers are refunds, or leave it out."
        )
    counted = {REFUNDS: is_refund, REFUNDED: taken_back, NOTHING: of_nothing}
    return stands, found + Counter({name: int(rows.sum()) for name, rows in counted.items()})


def _far_after(columns: Mapping[str, pa.Array]) -> int:
    """How many interactions are far after the time at which ages count: by more than a fifth of the time between that
    and half of them. See `Interactions.ages`.
    """
    times = columns[TIME].to_numpy() if TIME in columns else np.empty(0, np.int64)
    if not len(times):
        return 0
    half, now = np.quantile(times, [0.5, LATE], method="lower")
    return int((times > now + max((now - half) // 5, A_DAY)).sum())


def _take_back(left: npt.NDArray[np.float64], alone: Mask, pairs: Numbers, times: Numbers) -> None:
    """Take refunds that are `alone` in their basket from what is `left` of the latest purchases of their user and item,
    which are `pairs`, before them.
    """
    purchases = defaultdict[int, list[int]](list)
    some = np.flatnonzero(np.isin(pairs, pairs[alone]))
    some = some[np.lexsort((alone[some], times[some]))]
    for at, pair, is_alone in zip(some.tolist(), pairs[some].tolist(), alone[some].tolist(), strict=True):
        earlier = purchases[pair]
        if not is_alone and left[at] > _ROUNDING:
            earlier.append(at)
        while is_alone and earlier and left[at] < -_ROUNDING:
            taken = min(-left[at], left[earlier[-1]])
            left[at] += taken
            left[earlier[-1]] -= taken
            if left[earlier[-1]] <= _ROUNDING:
                earlier.pop()


def codes_of(texts: pa.StringArray) -> Numbers:
    """A number for each different text, int64[n]."""
    codes: Numbers = texts.dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes
