"""The requests to recommend that wait, and how many of them a turn of the event loop answers."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from scoring.http.request import Request
from scoring.model.cost import OF_BYTE, OF_REFUSED_BYTE, TURN_COST
from scoring.model.recommending import RecommendQuery

RECOMMENDED_TOGETHER = 8
"""Requests to recommend that share a call, unless they cost too much: each takes less than half the time, and more of
them gain little, while a record that arrives waits for all of them."""

BESIDE_RECORDS = 4
"""The same where records wait, which so many delay by a few milliseconds."""


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
                spent += (OF_REFUSED_BYTE if one.query is None else OF_BYTE) * one.request.size
            if chosen and spent + one.cost > TURN_COST:
                break
            self._waiting.popleft()
            taken += 1
            if one.query is not None and not one.request.disconnected:
                chosen.append((one.request, one.query))
                spent += one.cost
        return taken, chosen
