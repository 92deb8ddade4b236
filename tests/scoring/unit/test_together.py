"""Recommendations for several requests at once, and what waits for them."""

import asyncio
from typing import Any, cast

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from scoring.http.batcher import Batcher
from scoring.http.recommendations import BESIDE_RECORDS, RECOMMENDED_TOGETHER
from scoring.http.request import Request
from scoring.model.operations import OPERATIONS
from scoring.model.recommend_request import RecommendRequest
from scoring.model.recommending import Found, RecommendQuery
from scoring.request_errors import Refusal, Rejection
from scoring.responses import ModelName, RecommendAnswer
from tests.scoring.unit.test_batcher import Scored, batcher, request, statuses, until, zeros

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
            queue.submit(one)
        await until(lambda: all(statuses(asked)))
        return statuses(asked)

    assert asyncio.run(ask()) == [200, 503, 500, 200]
