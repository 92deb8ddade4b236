"""Requests to recommend: what each costs, and how many of those that wait a turn of the event loop answers.

Costs are estimated before an answer is computed, since a turn takes only so much. They are microseconds of a core at
3 GHz, for items that nobody has asked for lately.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from recommend.ranking import CANDIDATES
from scoring.http.request import Request
from scoring.model.recommend_request import MOST_CANDIDATES, RecommendRequest
from scoring.model.recommending import DEFAULT_TOP, RecommendQuery

TURN_COST = 32_000.0
"""What a turn may cost, unless a single request costs more."""
OF_REQUEST = 500.0
OF_BYTE = 0.06
"""Decoding a body and looking up its keys, or finding out why it is refused."""
OF_ITEM = 0.04
"""Scoring one of all items for a history; twice, where new ones are wanted."""
OF_MATCH = 0.012
"""Comparing an item with a column of a filter."""
OF_CANDIDATE = 2.0
"""Ordering a candidate by the second stage, and comparing it with others by the columns of `at_most`."""
OF_SHOWN = 20.0
"""Reading and writing an item of the response, with its reason."""

RECOMMENDED_TOGETHER = 8
"""Requests to recommend that share a call, unless they cost too much: each takes less than half the time, and more of
them gain little, while a record that arrives waits for all of them."""

BESIDE_RECORDS = 4
"""The same where records wait, which so many delay by a few milliseconds."""


def cost_of(request: RecommendRequest, *, items: int, places: int) -> float:
    """The cost of a checked request beside its body, with so many `items` to recommend from, and `places` for new ones
    unless it says otherwise."""
    if request.placements is not msgspec.UNSET:
        return sum(cost_of(one, items=items, places=places) for one in request.placed())
    top = DEFAULT_TOP if request.top is msgspec.UNSET else int(request.top)
    wants_new = (places if request.new is msgspec.UNSET else request.new) > 0
    # In rounds of four times as many, if `at_most` needs the last one.
    candidates = 2 * MOST_CANDIDATES if request.at_most else max(top, CANDIDATES)
    of_item = OF_ITEM * (1 + wants_new) + OF_MATCH * len(request.filter or ())
    return OF_REQUEST + of_item * items + OF_CANDIDATE * candidates + OF_SHOWN * top


@dataclass(slots=True)
class _Waiting:
    request: Request
    query: RecommendQuery | None = None
    """Once it has been read."""
    cost: float = 0.0


class Recommendations:
    """The requests to recommend that wait, in order of arrival."""

    def __init__(self, read: Callable[[Request, float], tuple[RecommendQuery, float] | None]) -> None:
        """`read` checks a request at a time and estimates what its answer costs, or refuses it."""
        self._read = read
        self._waiting: deque[_Waiting] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: Request) -> None:
        """Add a complete request."""
        self._waiting.append(_Waiting(request))

    def take(self, most: int) -> tuple[int, list[tuple[Request, RecommendQuery]]]:
        """Remove at most `most` requests, as many as a turn may cost; returns their number, and those to answer."""
        now, taken, spent = time.perf_counter(), 0, 0.0
        chosen: list[tuple[Request, RecommendQuery]] = []
        while taken < most and self._waiting and spent <= TURN_COST:
            one = self._waiting[0]
            if one.query is None and not one.request.disconnected:
                one.query, one.cost = self._read(one.request, now) or (None, 0.0)
                spent += OF_BYTE * one.request.size
            if chosen and spent + one.cost > TURN_COST:
                break
            self._waiting.popleft()
            taken += 1
            if one.query is not None and not one.request.disconnected:
                chosen.append((one.request, one.query))
                spent += one.cost
        return taken, chosen
