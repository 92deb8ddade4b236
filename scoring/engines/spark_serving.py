"""Engine `spark-serving`: SynapseML's Spark Serving in a process of its own, which this module keeps alive.

By itself Spark Serving loses a request now and then, dies of a second partition and has no limit. So few connections
of this module's own speak to it, concurrent requests share a call, a call that is not answered in time is made once
more, and whatever ends is started again. SynapseML may drop it one day: nothing outside this module knows of it.
"""

import asyncio
import http.client
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from scoring.engines.booster import Booster, Prediction
from scoring.errors import EngineError
from scoring.request_errors import EngineUnavailable, Overloaded
from scoring.scratch import ScratchFolder

SLOTS = 8
"""Records of one call, as `spark_query` has columns for them."""

CONNECTIONS = 4
CALL_SECONDS = (0.3, 1.0)
"""How long a call has for its answer, and the one that is made in its place: of 50,000 calls Spark loses one or two."""

START_SECONDS = 180.0
PROBE_SECONDS = 10.0
POLL_SECONDS = 0.1
MOST_WAITING = 4096
"""Records that wait for a call at most."""

MOST_FAILURES = 5
"""Calls in a row without an answer, after which the process is asked whether it hangs."""

HUNG_SECONDS = 5.0
"""How long it then has to answer: longer than a busy machine or a collection of Java's garbage may hold it up."""

STANDARD_ERROR = 2
"""Where Java's last words go as well: that its memory is full, it says on standard output."""

TOLERANCE = 1e-9
FAILURES = (OSError, http.client.HTTPException, msgspec.DecodeError)

Rows = npt.NDArray[np.float64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Job:
    rows: Rows
    answer: "asyncio.Future[list[float]]"


class SparkServingEngine:
    """A Spark that scores for one worker."""

    def __init__(self, model: Path, booster: Booster) -> None:
        """`booster` holds the same model, to check the answers; raises `EngineError` when Spark is not installed."""
        for package in ("pyspark", "synapse"):
            if find_spec(package) is None:
                raise EngineError(
                    f"The engine spark-serving needs the package {package}. Install the extra `local`, or choose the "
                    "engine lightgbm."
                )
        if not os.environ.get("PERSONALIZATION_JARS"):
            raise EngineError(
                "The engine spark-serving needs SynapseML's jars. Name their folder in PERSONALIZATION_JARS."
            )
        self.ready = False
        self.score_now = None
        self._model = model
        self._booster = booster
        self._waiting: deque[_Job] = deque()
        self._rows_waiting = 0
        self._failures = 0
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: ScratchFolder | None = None
        self._port = 0

    async def start(self) -> None:
        """Start Spark and wait until it answers as the model does; raises `EngineError` when it does not."""
        try:
            await asyncio.wait_for(self._launch(), START_SECONDS)
        except TimeoutError as error:
            raise EngineError(f"Spark did not answer within {START_SECONDS:g} seconds.") from error
        self._tasks = [asyncio.create_task(self._send()) for _ in range(CONNECTIONS)]
        self._tasks.append(asyncio.create_task(self._keep_alive()))

    async def score(self, batch: Rows) -> list[float]:
        """The click probability of each row of `batch`, float64[n, f]; see `Engine.score`.

        Raises `Overloaded` when too many records wait and `EngineUnavailable` when Spark does not answer.
        """
        if not self.ready:
            raise EngineUnavailable("Spark is being started again.")
        if self._rows_waiting and self._rows_waiting + len(batch) > MOST_WAITING:
            raise Overloaded("More records wait than Spark can score in time; try again later.")
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
        self._end()

    async def _launch(self) -> None:
        self._spawn()
        await self._prove()
        self._failures = 0
        self.ready = True

    def _spawn(self) -> None:
        self._end()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._port = port
        command = [sys.executable, "-m", "scoring.engines.spark_query", "--model", str(self._model)]
        self._folder = ScratchFolder("spark-serving")
        command += ["--features", str(self._booster.features), "--port", str(port), "--folder", str(self._folder.path)]
        self._process = subprocess.Popen(  # noqa: S603 - this package's own module
            command, stdin=subprocess.PIPE, stdout=STANDARD_ERROR
        )

    async def _prove(self) -> None:
        """Wait for the first answer and compare it with the model's own."""
        probe = np.zeros((1, self._booster.features))
        expected = float(self._booster.predict(probe, Prediction.PROBABILITY)[0])
        while True:
            if self._process is None or self._process.poll() is not None:
                raise EngineError("Spark ended while it was being started; the log before this line has its reason.")
            try:
                found = (await _call(self._connect(), probe, PROBE_SECONDS))[0]
            except FAILURES:
                await asyncio.sleep(POLL_SECONDS)
                continue
            if not abs(found - expected) <= TOLERANCE:
                raise EngineError(f"Spark scores {found!r} where the model gives {expected!r}. Serve another version.")
            return

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if (reason := await self._failed()) is not None:
                self.ready = False
                self._refuse_waiting()
                _log.error("%s; it is started again", reason)
                with suppress(EngineError, TimeoutError):  # it is tried again
                    await asyncio.wait_for(self._launch(), START_SECONDS)
                    _log.info("Spark answers again")

    async def _failed(self) -> str | None:
        """Why Spark has to be started again, if it has to be."""
        if self._process is None or not self.ready:
            return "Spark could not be started"
        if (code := self._process.poll()) is not None:
            return f"Spark ended with exit code {code}"
        if self._failures < MOST_FAILURES:
            return None
        try:
            await _call(self._connect(), np.zeros((1, self._booster.features)), HUNG_SECONDS)
        except FAILURES as error:
            return f"Spark did not answer within {HUNG_SECONDS:g} seconds ({type(error).__name__})"
        self._failures = 0
        return None

    async def _send(self) -> None:
        connection = self._connect()
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            jobs = self._take()
            if connection.port != self._port:
                connection = self._connect()
            try:
                answers = await self._score_together(connection, np.concatenate([job.rows for job in jobs]))
            except EngineUnavailable as error:
                for job in jobs:
                    _settle(job, error)
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

    def _connect(self) -> http.client.HTTPConnection:
        """A connection to the Spark that runs now; it opens with its first call, and again after it was closed."""
        return http.client.HTTPConnection("127.0.0.1", self._port)

    async def _score_together(self, connection: http.client.HTTPConnection, rows: Rows) -> list[float]:
        """One call, and one more when it is not answered: a score has no side effects."""
        for seconds in CALL_SECONDS:
            try:
                answers = await _call(connection, rows, seconds)
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

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._folder is not None:
            self._folder.remove()


async def _call(connection: http.client.HTTPConnection, rows: Rows, seconds: float) -> list[float]:
    """Spark's answer; in a thread, which costs a fifth of what an HTTP client for event loops does."""
    body = msgspec.json.encode({"rows": rows.tolist()})  # NaN becomes null

    def post() -> bytes:
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        connection.request("POST", "/score", body)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != HTTPStatus.OK:
            raise http.client.HTTPException(f"status {answer.status}")
        return content

    return msgspec.json.decode(await asyncio.to_thread(post), type=list[float])[: len(rows)]


def _settle(job: _Job, outcome: list[float] | EngineUnavailable) -> None:
    if job.answer.done():
        return
    if isinstance(outcome, EngineUnavailable):
        job.answer.set_exception(outcome)
    else:
        job.answer.set_result(outcome)
