"""Which items a request to recommend allows, by the columns of the catalogue."""

from collections import Counter

import msgspec
import numpy as np

from recommend.arrays import Indices
from recommend.catalogue import Catalogue
from recommend.stored import SnapshotError
from scoring.model.diagnosis import LONGEST_NAME
from scoring.model.recommend_request import RecommendRequest
from scoring.request_errors import Unavailable, UnknownField


def require_column(name: str, field: str, catalogue: Catalogue | None) -> None:
    """Raise `UnknownField` for a column that the catalogue does not have; `field` of the request names it."""
    columns = {} if catalogue is None else catalogue.layout.separators
    if name not in columns:
        listed = ", ".join(columns) or "no columns"
        raise UnknownField(
            f"The catalogue has no column {name[:LONGEST_NAME]!r}; it has {listed}.", field=field[:LONGEST_NAME]
        )


def left_out(request: RecommendRequest, catalogue: Catalogue | None) -> Indices:
    """The recommender's items that are not in the catalogue, or that the request's filter leaves out.

    Raises `UnknownField`, and `Unavailable` if the catalogue was altered.
    """
    wanted = {} if request.filter is msgspec.UNSET else request.filter
    for name in wanted:
        require_column(name, f"filter.{name}", catalogue)
    if catalogue is None:
        return np.empty(0, np.int64)
    numbers = catalogue.numbers
    allowed = numbers >= 0
    try:
        for name, values in wanted.items():
            has_one = catalogue.having(name, [str(value) for value in values])
            allowed[allowed] = has_one[numbers[allowed]]
    except SnapshotError as error:
        raise Unavailable(f"Items cannot be filtered: {error}") from error
    return np.flatnonzero(~allowed)


def varied(best: Indices, top: int, request: RecommendRequest, catalogue: Catalogue | None) -> Indices:
    """The places in `best`, int64[n], of the first `top` items of which no more than allowed share a value.

    Raises `UnknownField`, and `Unavailable` if the catalogue was altered.
    """
    limits = {} if request.at_most is msgspec.UNSET else {name: int(most) for name, most in request.at_most.items()}
    for name in limits:
        require_column(name, f"at_most.{name}", catalogue)
    if catalogue is None:
        return np.arange(min(top, len(best)))
    try:
        coded = [(most, *catalogue.coded(name), Counter[int]()) for name, most in limits.items()]
    except SnapshotError as error:
        raise Unavailable(f"Items cannot be compared: {error}") from error
    kept: list[int] = []
    for place, number in enumerate(catalogue.numbers[best].tolist()):
        values = [codes[starts[number] : starts[number + 1]].tolist() for _, starts, codes, _ in coded]
        if all(shown[code] < most for (most, _, _, shown), own in zip(coded, values, strict=True) for code in own):
            for (_, _, _, shown), own in zip(coded, values, strict=True):
                shown.update(own)
            kept.append(place)
            if len(kept) == top:
                break
    return np.array(kept, dtype=np.int64)
