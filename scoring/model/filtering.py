"""Which items a request to recommend allows, by the columns of the catalogue."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np

from recommend.arrays import Indices, Mask
from recommend.catalogue import Catalogue
from scoring.model.diagnosis import LONGEST_NAME
from scoring.model.recommend_request import Condition, RecommendRequest
from scoring.request_errors import Refusal


def require_column(name: str, field: str, catalogue: Catalogue | None) -> None:
    """Raise `UNKNOWN_FIELD` for a column that the catalogue does not have; `field` of the request names it."""
    columns = {} if catalogue is None else catalogue.layout.separators
    if name not in columns:
        listed = ", ".join(columns) or "no columns"
        raise Refusal.UNKNOWN_FIELD(
            f"The catalogue has no column {name[:LONGEST_NAME]!r}; it has {listed}.", field=field[:LONGEST_NAME]
        )


def matching(request: RecommendRequest, catalogue: Catalogue | None) -> Mask | None:
    """Which items of the catalogue the request's filter allows, bool[c], None if there is nothing to filter by.

    Raises `UNKNOWN_FIELD`, `WRONG_TYPE` for a range of texts, `OUT_OF_RANGE`, `WRONG_COUNT` for an empty condition, and
    `SnapshotError` if the catalogue was altered.
    """
    wanted = {} if request.filter is msgspec.UNSET else request.filter
    for name in wanted:
        require_column(name, f"filter.{name}", catalogue)
    if catalogue is None or not wanted:
        return None
    allowed = np.ones(catalogue.count, np.bool_)
    for name, one in wanted.items():
        allowed &= _allowed(name, one, catalogue)
    return allowed


def _allowed(name: str, wanted: list[str | int | float] | Condition, catalogue: Catalogue) -> Mask:
    """Which items, bool[c], have one of the values in a column, or meet the condition; raises like `matching`."""
    if isinstance(wanted, list):
        return catalogue.having(name, wanted)
    at = f"filter.{name}"[:LONGEST_NAME]
    if wanted == Condition():
        raise Refusal.WRONG_COUNT(f"{at} must have `min`, `max` or `not`.", field=at)
    allowed: Mask = np.ones(catalogue.count, np.bool_)
    if wanted.not_ is not msgspec.UNSET:
        allowed = ~_allowed(name, wanted.not_, catalogue)
    if (wanted.min, wanted.max) != (msgspec.UNSET, msgspec.UNSET):
        if name not in catalogue.layout.numbers:
            numbers = ", ".join(catalogue.layout.numbers) or "none"
            raise Refusal.WRONG_TYPE(
                f"The catalogue's column {name[:LONGEST_NAME]!r} holds text, so it has no range: give a list of "
                f"values, or `not` with one. Columns of numbers: {numbers}.",
                field=at,
            )
        lowest = -np.inf if wanted.min is msgspec.UNSET else wanted.min
        highest = np.inf if wanted.max is msgspec.UNSET else wanted.max
        if lowest > highest:
            raise Refusal.OUT_OF_RANGE("`min` is above `max`: swap them, or leave one out.", field=f"{at}.min")
        allowed &= catalogue.within(name, lowest, highest)
    return allowed


def left_out(allowed: Mask | None, catalogue: Catalogue | None) -> Indices:
    """The recommender's items that are not in the catalogue, or not among those that are `allowed` there, bool[c]."""
    if catalogue is None:
        return np.empty(0, np.int64)
    if allowed is None:
        return catalogue.absent
    has_place = catalogue.numbers >= 0
    has_place[has_place] = allowed[catalogue.numbers[has_place]]
    return np.flatnonzero(~has_place)


def varied(
    numbers: Indices, top: int, request: RecommendRequest, catalogue: Catalogue | None, before: Sequence[int] = ()
) -> Indices:
    """The places in `numbers`, int64[n] of the catalogue, of the first `top` items of which, and of the items `before`,
    no more than allowed share a value.

    Raises `UNKNOWN_FIELD`, and `SnapshotError` if the catalogue was altered.
    """
    limits = {} if request.at_most is msgspec.UNSET else {name: int(most) for name, most in request.at_most.items()}
    for name in limits:
        require_column(name, f"at_most.{name}", catalogue)
    if catalogue is None or not limits:
        return np.arange(min(top, len(numbers)))
    compared = np.concatenate([np.array(before, np.int64), numbers])
    values: list[list[int]] = [[] for _ in compared]
    for column, name in enumerate(limits):  # of all columns, so that no two have the same
        starts, codes = catalogue.coded(name)
        for own, start, end in zip(values, starts[compared].tolist(), starts[compared + 1].tolist(), strict=True):
            own.extend((codes[start:end] * len(limits) + column).tolist())
    most, shown = [*limits.values()], Counter[int]()
    full: set[int] = set()
    kept: list[int] = []
    for place, own in enumerate(values, start=-len(before)):
        if len(kept) < top and (place < 0 or full.isdisjoint(own)):
            shown.update(own)
            full.update(value for value in own if shown[value] >= most[value % len(most)])
            if place >= 0:
                kept.append(place)
    return np.array(kept, dtype=np.int64)
