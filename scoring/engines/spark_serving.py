"""Engine `spark-serving`: calls SynapseML's Spark Serving, and restarts it if it fails.

Spark Serving occasionally loses a request, crashes with a second partition, and has no limits. So this module opens
only a few connections, concurrent requests share a call, a call without a timely response is repeated once, and a Spark
that has ended or hangs is restarted. Only the modules `spark_*` depend on Spark Serving, in case SynapseML drops it.
"""

import asyncio
import http.client
import logging
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scoring.engines.booster import Booster
from scoring.engines.spark_process import FAILURES, POLL_SECONDS, Rows, SparkProcess, call
from scoring.errors import EngineError
from scoring.request_errors import EngineUnavailable, Overloaded

SLOTS = 8
"""The most records in a call: `spark_query` has this many columns."""

CONNECTIONS = 4
CALL_SECONDS = (0.3, 1.0)
"""Timeouts in seconds of a call and of its repetition: Spark loses one or two of 50,000 calls."""

START_SECONDS = 180.0
RETRY_SECONDS = 1.0
"""The pause between two attempts to start Spark."""

MAX_WAITING = 4096
"""The most records that may wait for a call."""

MAX_FAILURES = 5
"""The number of unanswered calls in a row after which the process is checked."""

HUNG_SECONDS = 5.0
"""The timeout of that check: longer than the delays of a busy machine or of Java's garbage collection."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Job:
    rows: Rows
    answer: "asyncio.Future[list[float]]"


class SparkServingEngine:
    """A Spark process that scores for one worker."""

    def __init__(self, model: Path, booster: Booster) -> None:
        """`booster` holds the same model, to check Spark's scores; raises `EngineError` if Spark isn't installed."""
        self.ready = False
        self.score_now = None
        self._spark = SparkProcess(model, booster)
        self._waiting: deque[_Job] = deque()
        self._rows_waiting = 0
        self._failures = 0
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start Spark and wait until it gives the model's score; raises `EngineError` if it doesn't."""
        try:
            await asyncio.wait_for(self._launch(), START_SECONDS)
        except TimeoutError as error:
            raise EngineError(f"Spark did not answer within {START_SECONDS:g} seconds.") from error
        self._tasks = [asyncio.create_task(self._send()) for _ in range(CONNECTIONS)]
        self._tasks.append(asyncio.create_task(self._keep_alive()))

    async def score(self, batch: Rows) -> list[float]:
        """The click probability of each row of `batch`, float64[n, f]; see `Engine.score`.

        Raises `Overloaded` if too many records are waiting, and `EngineUnavailable` if Spark doesn't respond.
        """
        if not self.ready:
            raise EngineUnavailable("Spark is being started again.")
        if self._rows_waiting and self._rows_waiting + len(batch) > MAX_WAITING:
            raise Overloaded("Too many records are waiting for Spark; try again later.")
        loop = asyncio.get_running_loop()
        jobs = [_Job(rows=batch[at : at + SLOTS], answer=loop.create_future()) for at in range(0, len(batch), SLOTS)]
        self._waiting.extend(jobs)
        self._rows_waiting += len(batch)
        self._arrived.set()
        answers = await asyncio.gather(*(job.answer for job in jobs))
        return [probability for answer in answers for probability in answer]

    def close(self) -> None:
        """End Spark."""
        self.ready = False
        for task in self._tasks:
            task.cancel()
        self._spark.end()

    async def _launch(self) -> None:
        await self._spark.start()
        self._failures = 0
        self.ready = True

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                if (reason := await self._failed()) is None:
                    continue
                self.ready = False
                self._refuse_waiting()
                _log.error("%s; it is started again", reason)
                await asyncio.wait_for(self._launch(), START_SECONDS)
                _log.info("Spark answers again")
            except Exception as error:  # noqa: BLE001 - whatever it was, without another attempt nothing is ever answered
                _log.error("Spark does not start (%s); it is tried again", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _failed(self) -> str | None:
        """Why Spark must be restarted; None if it needn't be."""
        if not self.ready:
            return "Spark could not be started"
        if (code := self._spark.exit_code()) is not None:
            return f"Spark ended with exit code {code}"
        if self._failures < MAX_FAILURES:
            return None
        try:
            await self._spark.check(HUNG_SECONDS)
        except FAILURES:
            return f"Spark did not answer within {HUNG_SECONDS:g} seconds"
        self._failures = 0
        return None

    async def _send(self) -> None:
        connection = self._spark.connect()
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            jobs = self._take()
            if connection.port != self._spark.port:
                connection = self._spark.connect()
            try:
                answers = await self._score_together(connection, np.concatenate([job.rows for job in jobs]))
            except Exception as error:  # noqa: BLE001 - who waits gets an answer, and the next call its turn
                if not isinstance(error, EngineUnavailable):
                    _log.error("a call of Spark failed: %s", type(error).__name__)
                for job in jobs:
                    _settle(job, EngineUnavailable("Spark did not answer."))
                continue
            at = 0
            for job in jobs:
                _settle(job, answers[at : at + len(job.rows)])
                at += len(job.rows)

    def _take(self) -> list[_Job]:
        jobs = [self._waiting.popleft()]
        rows = len(jobs[0].rows)
        while self._waiting and rows + len(self._waiting[0].rows) <= SLOTS:
            jobs.append(self._waiting.popleft())
            rows += len(jobs[-1].rows)
        self._rows_waiting -= rows
        return jobs

    async def _score_together(self, connection: http.client.HTTPConnection, rows: Rows) -> list[float]:
        """Call Spark, and once more if there is no response; scoring has no side effects."""
        for seconds in CALL_SECONDS:
            try:
                answers = await call(connection, rows, seconds)
            except FAILURES:
                connection.close()
                self._failures += 1
            else:
                self._failures = 0
                return answers
        raise EngineUnavailable("Spark did not answer in time.")

    def _refuse_waiting(self) -> None:
        while self._waiting:
            for job in self._take():
                _settle(job, EngineUnavailable("Spark is being started again."))


def _settle(job: _Job, outcome: list[float] | EngineUnavailable) -> None:
    if job.answer.done():
        return
    if isinstance(outcome, EngineUnavailable):
        job.answer.set_exception(outcome)
    else:
        job.answer.set_result(outcome)
