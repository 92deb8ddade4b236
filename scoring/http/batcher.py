"""Scores together what arrived together: a turn of the event loop reads many requests, and one call answers them.

An array and a call of the model for each request would cost more than the look-ups and the trees.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.http.admission import Queue
from scoring.http.request import Request
from scoring.model.model import ServedModel
from scoring.model.operations import ExplainQuery, Query
from scoring.model.records import Values
from scoring.request_errors import DeadlineExceeded, Overloaded
from scoring.worker.service import Service
from scoring.worker.shadow import Shadow

RECORDS_TOGETHER = 64
"""Records after which no further request joins a call: more would cost the first ones time and gain nothing."""

TURN_SECONDS = 0.005
"""After so long the event loop gets its turn, to read, refuse and answer what else has come."""

MOST_EXPLAINED = 16
"""Records that wait to be explained, one after the other in a thread of their own."""

Inputs = npt.NDArray[np.float64]


class Batcher:
    """The requests that wait in a worker."""

    def __init__(self, service: Service, record: Callable[[Request, int], None]) -> None:
        """`record` is called with each request's status."""
        settings = service.settings
        self.queue = Queue(maximum=settings.max_queue, seconds=settings.queue_seconds)
        self._service = service
        self._record = record
        self._shadow = (
            Shadow(settings.shadow, settings.shadow_percent, service.keys, settings.tls_certificate)
            if settings.shadow
            else None
        )
        self._waiting: deque[Request] = deque()
        self._scheduled = False
        self._later: set[asyncio.Task[None]] = set()
        self._explaining = 0
        self._beside = ThreadPoolExecutor(1, "explain")

    def submit(self, request: Request) -> None:
        """Answer `request` when its turn comes."""
        self.queue.enter()
        self._waiting.append(request)
        self._schedule()

    def close(self) -> None:
        """Wait for what is being explained."""
        self._beside.shutdown()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        """Answer what waits, up to a call's worth."""
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
        if self._waiting:
            self._schedule()
        if batch:
            taken -= self._score(batch, rows)
        self.queue.answer(taken)

    def _read(self, request: Request, now: float) -> Query | ExplainQuery | None:
        if request.operation is None:
            return None
        limit = self._service.settings.deadline_seconds
        try:
            if now - request.arrived > limit:
                raise DeadlineExceeded(f"The request waited for more than {limit:g} seconds.")  # noqa: TRY301 - one place rejects
            return request.operation.read(self._service.model.types, bytes(request.body))
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not cost the worker
            self._refuse(request, error)
            return None

    def _score(self, batch: list[tuple[Request, Query | ExplainQuery]], rows: list[Values]) -> int:
        """Answer each request of a batch, and return how many are answered later."""
        model = self._service.model
        if model.engine.score_now is None:
            for request, query in batch:
                self._begin(self._score_later(request, query, model))
            return len(batch)
        try:
            inputs = model.encoder.encode(rows)
            probabilities = model.engine.score_now(inputs)
            model.watch.see(inputs, probabilities)
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
        try:
            inputs = model.encoder.encode(query.rows)
            probabilities = await model.engine.score(inputs)
            model.watch.see(inputs, probabilities)
        except Exception as error:  # noqa: BLE001 - as above
            self._refuse(request, error)
        else:
            if isinstance(query, ExplainQuery):
                self._explain(request, query, model, inputs, probabilities[0])
            else:
                self._answer(request, query, model, probabilities)
        finally:
            self.queue.answer(1)

    def _explain(
        self, request: Request, query: ExplainQuery, model: ServedModel, inputs: Inputs, probability: float
    ) -> None:
        """Answer a request beside the event loop's thread."""
        if self._explaining >= MOST_EXPLAINED:
            self._refuse(request, Overloaded("More records wait to be explained than can be in time; try again later."))
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
        if self._shadow is not None and request.operation is not None:
            self._shadow.copy(request.operation.name, request.body)

    def _refuse(self, request: Request, error: Exception) -> None:
        rejection = self._service.rejection_of(error, request.request_id)
        request.reject(rejection)
        self._record(request, rejection.status)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)
