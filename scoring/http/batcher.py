"""Scores requests in batches: those that arrive in one turn of the event loop share a call of the model.

An array and a call for each request would cost more than encoding the record and evaluating the trees. What requests
to recommend cost is estimated before they are answered, since a turn takes only so much: in microseconds of a core at
3 GHz, for items that nobody has asked for lately.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from recommend.ranking import CANDIDATES
from scoring.http.admission import Queue
from scoring.http.request import Request
from scoring.model.model import ServedModel
from scoring.model.operations import ExplainQuery, Operation, Query
from scoring.model.recommend_request import MOST_CANDIDATES, RecommendRequest
from scoring.model.recommending import DEFAULT_TOP, RecommendQuery, recommend_to_each
from scoring.model.records import Values
from scoring.request_errors import Refusal
from scoring.worker.service import Service

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
OF_DIVERSITY = 700.0
"""Comparing the first candidates with each other, in each of four rounds at most."""
OF_SHOWN = 20.0
"""Reading and writing an item of the response, with its reason."""

RECOMMENDED_TOGETHER = 8
"""Requests to recommend that share a call, unless they cost too much: each takes less than half the time, and more of
them gain little, while a record that arrives waits for all of them."""

BESIDE_RECORDS = 4
"""The same where records wait, which so many delay by a few milliseconds."""

RECORDS_TOGETHER = 64
"""A batch with so many records takes no further request: it would delay the first ones and gain nothing."""

TURN_SECONDS = 0.005
"""Time limit for collecting a batch, since the event loop must also read, refuse and answer other requests."""

LONGER = 3
"""Requests to recommend may wait so many times as long as records: each takes as long as many of these."""

MOST_EXPLAINED = 16
"""The most records that wait to be explained. A separate thread explains them one at a time."""

Inputs = npt.NDArray[np.float64]
_encode = msgspec.json.Encoder().encode


class Batcher:
    """A worker's queue of requests, and the calls that answer them."""

    def __init__(self, service: Service, record: Callable[[Request, int], None]) -> None:
        """`record` is called with each request and the status of its response."""
        settings = service.settings
        self._records = Queue(maximum=settings.max_queue, seconds=settings.queue_seconds)
        self._recommendations = Queue(maximum=settings.max_queue, seconds=LONGER * settings.queue_seconds)
        self._service = service
        self._record = record
        self._waiting: deque[Request] = deque()
        self._recommending = Recommendations(self._read_recommend)
        self._scheduled = False
        self._later: set[asyncio.Task[None]] = set()
        self._explaining = 0
        self._beside = ThreadPoolExecutor(1, "explain")

    def submit(self, request: Request) -> None:
        """Queue `request`, to be answered in a later turn of the event loop."""
        queue = self.queue_of(request.operation)
        queue.enter()
        (self._recommending.add if queue is self._recommendations else self._waiting.append)(request)
        self._schedule()

    def queue_of(self, operation: Operation | None) -> Queue:
        """Where requests for an operation wait: those to recommend apart, or a few would refuse many records."""
        return self._recommendations if operation is not None and operation.recommends else self._records

    def close(self) -> None:
        """Wait for the explanations in progress."""
        self._beside.shutdown()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        """Answer one batch of the waiting requests, and then some requests to recommend: few if there was a batch.

        Each of these takes as long as many records, which may keep coming.
        """
        self._scheduled = False
        began = time.perf_counter()
        batch: list[tuple[Request, Query | ExplainQuery]] = []
        rows: list[Values] = []
        taken = 0
        while self._waiting and len(rows) < RECORDS_TOGETHER and time.perf_counter() - began < TURN_SECONDS:
            taken += 1
            request = self._waiting.popleft()
            if not request.disconnected and (query := self._read(request, began)) is not None:
                batch.append((request, query))
                rows += query.rows
        if batch:
            taken -= self._score(batch, rows)
        self._records.answer(taken)
        taken, queries = self._recommending.take(BESIDE_RECORDS if batch else RECOMMENDED_TOGETHER)
        if queries:
            self._recommend(queries)
        self._recommendations.answer(taken)
        if self._waiting or self._recommending:
            self._schedule()

    def _read(self, request: Request, now: float) -> Any:  # noqa: ANN401 - the kind of query depends on the operation
        if request.operation is None:
            return None
        limit = self._service.settings.deadline_seconds
        try:
            if now - request.arrived > limit:
                raise Refusal.DEADLINE_EXCEEDED(f"The request waited for more than {limit:g} seconds.")  # noqa: TRY301 - one place rejects
            return request.operation.read(self._service.model, bytes(request.body), self._service.lookups)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not cost the worker
            self._refuse(request, error)
            return None

    def _score(self, batch: list[tuple[Request, Query | ExplainQuery]], rows: list[Values]) -> int:
        """Answer each request of a batch. Returns how many of them are answered later, by an asynchronous engine."""
        model = self._service.model
        clicks = model.click_model
        if clicks.engine.score_now is None:
            for request, query in batch:
                self._begin(self._score_later(request, query, model))
            return len(batch)
        try:
            inputs = clicks.encoder.encode(rows)
            probabilities = clicks.engine.score_now(inputs)
            clicks.watch.see(inputs, probabilities)
        except Exception as error:  # noqa: BLE001 - as above
            for request, _ in batch:
                self._refuse(request, error)
            return 0
        start = 0
        for request, query in batch:
            end = start + len(query.rows)
            if isinstance(query, ExplainQuery):
                self._explain(request, query, model, inputs[start:end].copy(), probabilities[start])
            else:
                self._answer(request, query, model, probabilities[start:end])
            start = end
        return 0

    async def _score_later(self, request: Request, query: Query | ExplainQuery, model: ServedModel) -> None:
        clicks = model.click_model
        try:
            inputs = clicks.encoder.encode(query.rows)
            probabilities = await clicks.engine.score(inputs)
            clicks.watch.see(inputs, probabilities)
        except Exception as error:  # noqa: BLE001 - as above
            self._refuse(request, error)
        else:
            if isinstance(query, ExplainQuery):
                self._explain(request, query, model, inputs, probabilities[0])
            else:
                self._answer(request, query, model, probabilities)
        finally:
            self._records.answer(1)

    def _explain(
        self, request: Request, query: ExplainQuery, model: ServedModel, inputs: Inputs, probability: float
    ) -> None:
        """Explain a record in the separate thread, and answer its request."""
        if self._explaining >= MOST_EXPLAINED:
            self._refuse(request, Refusal.OVERLOADED("Too many records are waiting to be explained; try again later."))
            return
        self._explaining += 1

        async def explain() -> None:
            loop = asyncio.get_running_loop()
            try:
                body = await loop.run_in_executor(self._beside, query.explain, inputs, probability, model)
            except Exception as error:  # noqa: BLE001 - as above
                self._refuse(request, error)
            else:
                self._send(request, body, [probability])
            finally:
                self._explaining -= 1

        self._begin(explain())

    def _read_recommend(self, request: Request, now: float) -> tuple[RecommendQuery, float] | None:
        """The checked request and what its answer costs; None if it was refused."""
        query: RecommendQuery | None = self._read(request, now)
        if query is None:
            return None
        recommender, places = self._service.model.recommender, self._service.lookups.places
        return query, cost_of(query.request, items=0 if recommender is None else len(recommender.items), places=places)

    def _recommend(self, queries: list[tuple[Request, RecommendQuery]]) -> None:
        service = self._service
        try:
            answers = recommend_to_each([query for _, query in queries], service.model, service.lookups)
        except Exception as error:  # noqa: BLE001 - as above
            answers = [error] * len(queries)
        for (request, query), answer in zip(queries, answers, strict=True):
            try:
                if isinstance(answer, Exception):
                    raise answer  # noqa: TRY301 - what refuses it is the same
                body = _encode(answer)
            except Exception as error:  # noqa: BLE001 - as above
                self._refuse(request, error)
            else:
                service.metrics.fell_back(query.fallback)
                self._send(request, body, [])

    def _answer(self, request: Request, query: Query, model: ServedModel, probabilities: list[float]) -> None:
        try:
            body = query.answer(probabilities, model)
        except Exception as error:  # noqa: BLE001 - as above
            self._refuse(request, error)
            return
        self._send(request, body, probabilities)

    def _send(self, request: Request, body: bytes, probabilities: list[float]) -> None:
        request.reply(200, body, [])
        self._service.metrics.scored(probabilities)
        self._record(request, 200)

    def _refuse(self, request: Request, error: Exception) -> None:
        rejection = self._service.rejection_of(error, request.request_id)
        request.reject(rejection)
        self._record(request, rejection.status)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


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
    of_diversity = OF_DIVERSITY * (4 if request.at_most else 1) * (request.diversity > 0)
    return OF_REQUEST + of_item * items + OF_CANDIDATE * candidates + of_diversity + OF_SHOWN * top


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
