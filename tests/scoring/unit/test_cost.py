"""What a turn of the event loop may cost: estimates, since times depend on the machine."""

from unittest.mock import MagicMock

import pytest
from msgspec.structs import replace

from scoring.http.batcher import RECOMMENDED_TOGETHER, TURN_COST, Recommendations, cost_of
from scoring.http.request import Request
from scoring.model.recommend_request import (
    MOST_CHOSEN,
    MOST_EXCLUDED,
    MOST_FILTERED_COLUMNS,
    MOST_RECOMMENDED,
    MOST_SHARED_COLUMNS,
    MOST_SHOWN_COLUMNS,
    MOST_VALUES,
    Placement,
    RecommendRequest,
)
from scoring.model.recommending import RecommendQuery

MANY_ITEMS = 100_000
LARGEST_COST = 70_000
"""Of a request within the limits, on so many items."""
KEYS: list[str | float] = [str(number) for number in range(MOST_EXCLUDED)]
COLUMNS = [str(number) for number in range(MOST_FILTERED_COLUMNS)]
LARGEST = RecommendRequest(
    history=KEYS[:MOST_CHOSEN],
    exclude=KEYS,
    top=MOST_RECOMMENDED,
    show=["title"] * MOST_SHOWN_COLUMNS,
    filter={name: ["x"] * (MOST_VALUES // MOST_FILTERED_COLUMNS) for name in COLUMNS},
    at_most=dict.fromkeys(COLUMNS[:MOST_SHARED_COLUMNS], 1.0),
    new=MOST_RECOMMENDED,
    diversity=1.0,
)


def test_a_request_within_the_limits_costs_no_more_than_this() -> None:
    cost = cost_of(LARGEST, items=MANY_ITEMS, places=0)
    assert cost <= LARGEST_COST
    assert cost > cost_of(replace(LARGEST, diversity=0.0), items=MANY_ITEMS, places=0)


def test_placements_cost_as_much_as_their_requests() -> None:
    placements = [Placement(name="x", top=7.0, filter={"a": ["x"]}), Placement(name="y", top=30.0)]
    parts = [RecommendRequest(history=["a"], top=7.0, filter={"a": ["x"]}), RecommendRequest(history=["a"], top=30.0)]
    cost = cost_of(RecommendRequest(history=["a"], placements=placements), items=MANY_ITEMS, places=2)
    assert cost == sum(cost_of(one, items=MANY_ITEMS, places=2) for one in parts)


def _asked(cost: float) -> Request:
    return Request(MagicMock(), b"POST", b"/recommend", {}, b"%f" % cost)


@pytest.mark.parametrize(
    ("costs", "turns"),
    [
        ([0.1] * 12, [8, 4]),
        ([0.3] * 7, [3, 3, 1]),
        ([2.0, 0.1, 0.8, 3.0, 0.5], [1, 2, 1, 1]),
        ([0.6, 0.5, 0.4, 0.1], [1, 3]),
    ],
)
def test_a_turn_costs_no_more_than_it_may_unless_one_request_does(costs: list[float], turns: list[int]) -> None:
    read: list[Request] = []

    def reading(one: Request, _now: float) -> tuple[RecommendQuery, float]:
        read.append(one)
        return RecommendQuery(LARGEST), float(one.request_id) * TURN_COST

    waiting = Recommendations(reading)
    asked = [_asked(cost) for cost in costs]
    for one in asked:
        waiting.add(one)
    found = []
    while len(waiting):
        taken, chosen = waiting.take(RECOMMENDED_TOGETHER)
        assert taken == len(chosen)
        assert len(chosen) == 1 or sum(float(one.request_id) for one, _ in chosen) <= 1
        found.append(taken)
    assert found == turns
    assert read == asked, "one was read twice"


def test_a_turn_refuses_one_long_body_or_many_short_ones() -> None:
    waiting = Recommendations(lambda *_: None)
    for size in (4 << 20, 4 << 20, 100, 100, 100):
        one = _asked(0.0)
        one.size = size
        waiting.add(one)
    assert [waiting.take(RECOMMENDED_TOGETHER) for _ in range(3)] == [(1, []), (1, []), (3, [])]
