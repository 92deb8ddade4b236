"""Engine `spark-serving`: starts SynapseML's Spark Serving in a process, calls it, and restarts it if it fails.

Spark Serving occasionally loses a request, crashes with a second partition, and has no limits. So this module opens
only a few connections, concurrent requests share a call, a call without a timely response is repeated once, and a Spark
that has ended or hangs is restarted. Only the modules `spark_*` depend on Spark Serving, in case SynapseML drops it.
"""

import asyncio
import http.client
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from scoring.engines.lightgbm import Booster, EngineError, Prediction
from scoring.request_errors import Refusal, Rejection
from scoring.scratch import ScratchFolder

PROBE_SECONDS = 10.0
POLL_SECONDS = 0.1
END_SECONDS = 2.0
"""How long Spark may take to end after its standard input is closed."""

STANDARD_ERROR = 2
"""Java's standard output is redirected here too, because that is where it reports that it ran out of memory."""

TOLERANCE = 1e-9
FAILURES = (OSError, http.client.HTTPException, msgspec.DecodeError)
"""The errors of a call that Spark didn't answer, or answered with something other than probabilities."""

Rows = npt.NDArray[np.float64]

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


async def call(connection: http.client.HTTPConnection, rows: Rows, seconds: float) -> list[float]:
    """Spark's probabilities for `rows`, float64[n, f]; raises one of `FAILURES`.

    The call runs in a thread, at a fifth of the cost of an asyncio HTTP client.
    """
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

    answers = msgspec.json.decode(await asyncio.to_thread(post), type=list[float])
    if len(answers) < len(rows):
        raise http.client.HTTPException(f"{len(answers)} answers to {len(rows)} rows")
    return answers[: len(rows)]


def _require_spark() -> None:
    for package in ("pyspark", "synapse"):
        if find_spec(package) is None:
            raise EngineError(
                f"The engine spark-serving needs the package {package}. Install the extra `local`, or choose the "
                "engine lightgbm."
            )
    if not os.environ.get("PERSONALIZATION_JARS"):
        raise EngineError("The engine spark-serving needs SynapseML's jars. Name their folder in PERSONALIZATION_JARS.")


@dataclass(frozen=True, kw_only=True)
class _Job:
    rows: Rows
    answer: "asyncio.Future[list[float]]"


class SparkServingEngine:
    """A Spark process that scores for one worker, on a port of the loopback address."""

    def __init__(self, model: Path, booster: Booster) -> None:
        """`booster` holds the same model, to check Spark's scores; raises `EngineError` if Spark isn't installed."""
        _require_spark()
        self.ready = False
        self.score_now = None
        self._model, self._booster = model, booster
        self._probe = np.zeros((1, booster.features))
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: ScratchFolder | None = None
        self._port = 0
        """The running Spark's; each has another one."""
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
        """The click probability of each row of `batch`, float64[n, f]; see `LightGbmEngine.score`.

        Raises a `Rejection` if too many records are waiting, or if Spark doesn't respond.
        """
        if not self.ready:
            raise Refusal.ENGINE_UNAVAILABLE("Spark is being started again.")
        if self._rows_waiting and self._rows_waiting + len(batch) > MAX_WAITING:
            raise Refusal.OVERLOADED("Too many records are waiting for Spark; try again later.")
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
        self._end()
        self._spawn()
        await self._prove()
        self._failures = 0
        self.ready = True

    def _spawn(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        command = [sys.executable, "-m", "scoring.engines.spark_query", "--model", str(self._model)]
        self._folder = ScratchFolder("spark-serving")
        command += ["--features", str(self._booster.features), "--port", str(self._port)]
        self._process = subprocess.Popen(  # noqa: S603 - this package's own module
            [*command, "--folder", str(self._folder.path)], stdin=subprocess.PIPE, stdout=STANDARD_ERROR
        )

    async def _prove(self) -> None:
        """Wait for the first score, however long, and compare it with the model's; raises `EngineError`."""
        expected = float(self._booster.predict(self._probe, Prediction.PROBABILITY)[0])
        while self._exit_code() is None:
            try:
                found = (await call(self._connect(), self._probe, PROBE_SECONDS))[0]
            except FAILURES:
                await asyncio.sleep(POLL_SECONDS)
                continue
            if not abs(found - expected) <= TOLERANCE:
                raise EngineError(f"Spark scores {found!r} where the model gives {expected!r}. Serve another version.")
            return
        raise EngineError("Spark ended while it was starting; the lines above in the log say why.")

    def _connect(self) -> http.client.HTTPConnection:
        """A connection to the running Spark. It opens at its first call, and reopens at the next call after a close."""
        return http.client.HTTPConnection("127.0.0.1", self._port)

    def _exit_code(self) -> int | None:
        """Spark's exit code; None while it runs, and before it was started."""
        return None if self._process is None else self._process.poll()

    def _end(self) -> None:
        """End Spark if it is running, and remove its folder."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._folder is not None:
            self._folder.remove()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                if (reason := await self._failed()) is None:
                    continue
                self.ready = False
                while self._waiting:
                    for job in self._take():
                        _settle(job, Refusal.ENGINE_UNAVAILABLE("Spark is being started again."))
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
        if (code := self._exit_code()) is not None:
            return f"Spark ended with exit code {code}"
        if self._failures < MAX_FAILURES:
            return None
        try:
            await call(self._connect(), self._probe, HUNG_SECONDS)
        except FAILURES:
            return f"Spark did not answer within {HUNG_SECONDS:g} seconds"
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
            except Exception as error:  # noqa: BLE001 - who waits gets an answer, and the next call its turn
                if not isinstance(error, Rejection):
                    _log.error("a call of Spark failed: %s", type(error).__name__)
                for job in jobs:
                    _settle(job, Refusal.ENGINE_UNAVAILABLE("Spark did not answer."))
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
        raise Refusal.ENGINE_UNAVAILABLE("Spark did not answer in time.")


def _settle(job: _Job, outcome: list[float] | Rejection) -> None:
    if job.answer.done():
        return
    if isinstance(outcome, Rejection):
        job.answer.set_exception(outcome)
    else:
        job.answer.set_result(outcome)
