"""Starts the process in which Spark scores, compares its first score with the model's, checks that it responds, and
ends it.

Spark Serving occasionally loses a request, crashes with a second partition, and has no limits. `spark_serving`, which
calls it, handles that; this module only manages the process.
"""

import asyncio
import http.client
import os
import socket
import subprocess
import sys
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from scoring.engines.booster import Booster, Prediction
from scoring.errors import EngineError
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


class SparkProcess:
    """A Spark process for one model, on a port of the loopback address; one at a time."""

    def __init__(self, model: Path, booster: Booster) -> None:
        """`booster` holds the same model, to check Spark's scores; raises `EngineError` if Spark isn't installed."""
        _require_spark()
        self.port = 0
        """The running Spark's port; a new one after each `start`."""
        self._model = model
        self._booster = booster
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: ScratchFolder | None = None

    async def start(self) -> None:
        """Start Spark, ending a running one, and wait until it gives the model's score.

        Raises `EngineError` if Spark ends meanwhile or gives another score. There is no time limit.
        """
        self._spawn()
        await self._prove()

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the running Spark. It opens at its first call, and reopens at the next call after a close."""
        return http.client.HTTPConnection("127.0.0.1", self.port)

    def exit_code(self) -> int | None:
        """Spark's exit code; None while it runs, and before it was started."""
        return None if self._process is None else self._process.poll()

    async def check(self, seconds: float) -> None:
        """Request one score from Spark; raises one of `FAILURES` if there is no response within `seconds`."""
        await call(self.connect(), np.zeros((1, self._booster.features)), seconds)

    def end(self) -> None:
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

    def _spawn(self) -> None:
        self.end()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.port = port
        command = [sys.executable, "-m", "scoring.engines.spark_query", "--model", str(self._model)]
        self._folder = ScratchFolder("spark-serving")
        command += ["--features", str(self._booster.features), "--port", str(port), "--folder", str(self._folder.path)]
        self._process = subprocess.Popen(  # noqa: S603 - this package's own module
            command, stdin=subprocess.PIPE, stdout=STANDARD_ERROR
        )

    async def _prove(self) -> None:
        """Wait for the first score and compare it with the model's."""
        probe = np.zeros((1, self._booster.features))
        expected = float(self._booster.predict(probe, Prediction.PROBABILITY)[0])
        while True:
            if self._process is None or self._process.poll() is not None:
                raise EngineError("Spark ended while it was starting; the lines above in the log say why.")
            try:
                found = (await call(self.connect(), probe, PROBE_SECONDS))[0]
            except FAILURES:
                await asyncio.sleep(POLL_SECONDS)
                continue
            if not abs(found - expected) <= TOLERANCE:
                raise EngineError(f"Spark scores {found!r} where the model gives {expected!r}. Serve another version.")
            return


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
