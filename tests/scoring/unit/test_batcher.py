"""The queue of a worker: what waits and what is refused, recommendations beside records, and what an engine that fails
costs."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import numpy as np
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from scoring.http.batcher import BESIDE_RECORDS, MOST_EXPLAINED, RECOMMENDED_TOGETHER, RECORDS_TOGETHER, Batcher
from scoring.http.request import Request
from scoring.model.operations import OPERATIONS, ExplainQuery, Operation
from scoring.model.recommend_request import RecommendRequest
from scoring.model.recommending import Found, RecommendQuery
from scoring.model.records import Lookups
from scoring.request_errors import Refusal, Rejection
from scoring.responses import ModelName, RecommendAnswer
from scoring.worker.service import Service


class Explained(ExplainQuery):
    """A record whose explanation takes until the test allows it."""

    may_end = threading.Event()

    def explain(self, *_: object) -> bytes:
        assert self.may_end.wait(60)
        return b"explained"


class Scored:
    """A request of some records."""

    def __init__(self, rows: int = 1) -> None:
        self.rows = [()] * rows

    def answer(self, probabilities: list[float], _model: object) -> bytes:
        return b"%g" % probabilities[0]


def batcher(score: Any, *, deadline_seconds: float = 60.0, now: bool = True, max_queue: int = 1000) -> Batcher:
    """A batcher whose model is `score`, which is awaited unless it scores `now`."""
    engine = SimpleNamespace(score_now=score if now else None, score=score)
    clicks = SimpleNamespace(
        encoder=SimpleNamespace(encode=lambda rows: np.zeros((len(rows), 1))),
        engine=engine,
        watch=SimpleNamespace(see=lambda *_: None),
    )
    model = SimpleNamespace(click_model=clicks, recommender=SimpleNamespace(items=()))
    settings = SimpleNamespace(max_queue=max_queue, queue_seconds=60.0, deadline_seconds=deadline_seconds)

    def rejection_of(error: Exception, _identity: bytes) -> Rejection:
        assert isinstance(error, Rejection), error
        return error

    service = SimpleNamespace(
        settings=settings,
        model=model,
        rejection_of=rejection_of,
        metrics=SimpleNamespace(scored=lambda _: None, fell_back=lambda _: None),
        lookups=Lookups(),
    )
    return Batcher(cast("Service", service), lambda *_: None)


def request(query: object, *, arrived: float = float("inf")) -> Request:
    made = Request(MagicMock(), b"POST", b"/score", {}, b"id")
    made.operation = Operation("score", lambda *_: cast("Any", query))
    made.arrived = arrived
    return made


def statuses(requests: list[Request]) -> list[int]:
    return [one.answer.status if one.answer else 0 for one in requests]


def zeros(inputs: Any) -> list[float]:
    return [0.0] * len(inputs)


async def answered(queue: Batcher, asked: list[Request]) -> list[int]:
    """The statuses of requests that are sent together."""
    for one in asked:
        queue.submit(one)
    await until(lambda: all(statuses(asked)))
    return statuses(asked)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - an answer is no event
        await asyncio.sleep(0.001)


@pytest.mark.timeout(60)
def test_only_so_many_records_wait_to_be_explained_and_then_there_is_room_again() -> None:
    async def explain() -> None:
        Explained.may_end.clear()
        queue = batcher(zeros)
        asked = [request(Explained([()])) for _ in range(MOST_EXPLAINED + 3)]
        for one in asked:
            queue.submit(one)
        await until(lambda: statuses(asked).count(503) == 3)
        assert statuses(asked) == [0] * MOST_EXPLAINED + [503] * 3
        queue.submit(scored := request(Scored()))
        await until(lambda: scored.answer is not None)
        assert statuses([scored]) == [200], "it does not wait for them"
        Explained.may_end.set()
        await until(lambda: statuses(asked).count(200) == MOST_EXPLAINED)
        later = request(Explained([()]))
        queue.submit(later)
        await until(lambda: later.answer is not None)
        assert statuses([later]) == [200]
        queue.close()

    asyncio.run(explain())


@pytest.mark.timeout(60)
def test_a_batch_is_no_larger_than_it_may_be_and_nothing_is_left() -> None:
    sizes: list[int] = []

    def score(inputs: Any) -> list[float]:
        sizes.append(len(inputs))
        return zeros(inputs)

    async def ask() -> None:
        queue = batcher(score)
        assert await answered(queue, [request(Scored(RECORDS_TOGETHER // 2)) for _ in range(5)]) == [200] * 5
        assert queue.queue_of(OPERATIONS["/score"]).waiting == 0

    asyncio.run(ask())
    assert max(sizes) <= RECORDS_TOGETHER
    assert sum(sizes) == 5 * RECORDS_TOGETHER // 2


@pytest.mark.timeout(60)
@pytest.mark.parametrize("now", [True, False], ids=["here", "in another process"])
@pytest.mark.parametrize("fails", [False, True])
def test_an_engine_answers_everybody_and_frees_the_places_that_they_took(*, now: bool, fails: bool) -> None:
    def score(inputs: Any) -> list[float]:
        if fails:
            raise Refusal.DEADLINE_EXCEEDED("the engine gave up")
        return zeros(inputs)

    async def later(inputs: Any) -> list[float]:
        return score(inputs)

    async def ask() -> None:
        queue = batcher(score if now else later, now=now)
        assert await answered(queue, [request(Scored()) for _ in range(3)]) == [503 if fails else 200] * 3
        await until(lambda: queue.queue_of(OPERATIONS["/score"]).waiting == 0)

    asyncio.run(ask())


NOBODY = RecommendRequest(history=[])
ANSWER = RecommendAnswer(
    items=[], fallback=[], known=UNSET, event_id="", catalogue=None, model=ModelName(name="m", version="1")
)


@pytest.mark.timeout(60)
def test_records_that_keep_coming_wait_for_few_recommendations() -> None:
    done: list[str] = []
    late: list[Request] = []
    queues: list[Batcher] = []

    class Recommended(RecommendQuery):
        def steps(self, *_: object) -> Any:
            done.append("recommended")
            if len(done) in {1, RECOMMENDED_TOGETHER + 2}:  # in the first turn and in the second one
                late.append(request(Scored()))
                queues[0].submit(late[-1])
            yield from ()
            return Found(ANSWER, [])

    def score(inputs: Any) -> list[float]:
        done.append("scored")
        return zeros(inputs)

    async def ask() -> list[Request]:
        queues.append(queue := batcher(score))
        count = RECOMMENDED_TOGETHER + 2 * BESIDE_RECORDS + 1
        recommending = [request(Recommended(NOBODY)) for _ in range(count)]
        for one in recommending:
            one.operation = cast("Any", one.operation)._replace(recommends=True)
            queue.submit(one)
        await until(lambda: all(statuses([*recommending, *late])))
        assert [queue.queue_of(one).waiting for one in OPERATIONS.values()] == [0] * len(OPERATIONS)
        return [*recommending, *late]

    assert set(statuses(asyncio.run(ask()))) == {200}
    few = ["scored", *["recommended"] * BESIDE_RECORDS]
    assert done == ["recommended"] * RECOMMENDED_TOGETHER + few + few + ["recommended"]


def test_recommendations_that_wait_refuse_no_records() -> None:
    recommend, score = OPERATIONS["/recommend"], OPERATIONS["/score"]

    async def ask() -> None:
        queue = batcher(zeros, max_queue=2)
        for _ in range(2):
            waiting = request(None)
            waiting.operation = recommend
            queue.submit(waiting)
        assert queue.queue_of(recommend).full()
        assert not queue.queue_of(score).full()
        queue.submit(request(Scored()))
        assert not queue.queue_of(score).full()
        queue.submit(request(Scored()))
        assert queue.queue_of(score).full()

    asyncio.run(ask())


@pytest.mark.timeout(60)
def test_a_recommendation_that_fails_costs_no_other_one() -> None:
    class Recommended(RecommendQuery):
        def steps(self, *_: object) -> Any:
            yield from ()
            return Found(ANSWER, [])

    class Failing(RecommendQuery):
        def steps(self, *_: object) -> Any:
            yield from ()
            raise Refusal.DEADLINE_EXCEEDED("this one")

    class NotJson(RecommendQuery):
        def steps(self, *_: object) -> Any:
            yield from ()
            return Found(replace(ANSWER, event_id=object()), [])

    def rejection_of(error: Exception, _identity: bytes) -> Rejection:
        return error if isinstance(error, Rejection) else Refusal.INTERNAL_ERROR(str(error))

    async def ask() -> list[int]:
        queue: Any = batcher(zeros)
        queue._service.rejection_of = rejection_of  # noqa: SLF001 - as the service does with any other error
        asked = [request(kind(NOBODY)) for kind in (Recommended, Failing, NotJson, Recommended)]
        for one in asked:
            one.operation = cast("Any", one.operation)._replace(recommends=True)
        return await answered(queue, asked)

    assert asyncio.run(ask()) == [200, 503, 500, 200]
