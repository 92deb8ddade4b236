"""Calls to a Spark that does not start, or does not answer, have time limits."""

import asyncio
import http.client
from collections.abc import Callable, Coroutine
from functools import wraps
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from scoring.engines import spark_query, spark_serving
from scoring.engines.lightgbm import Booster
from scoring.engines.spark_serving import Rows, SparkServingEngine, call
from scoring.request_errors import Rejection


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in its own event loop."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


class _OneAnswer(BaseHTTPRequestHandler):
    """Answers every call with a single probability."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"[0.5]")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@in_a_loop
async def test_fewer_answers_than_rows_are_no_answer() -> None:
    with HTTPServer(("127.0.0.1", 0), _OneAnswer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        assert await call(connection, np.zeros((1, 2)), 10) == [0.5]
        with pytest.raises(http.client.HTTPException, match="1 answers to 2 rows"):
            await call(connection, np.zeros((2, 2)), 10)
        connection.close()
        server.shutdown()


class _Broken(http.client.HTTPConnection):
    """A connection that fails with an unexpected error."""

    def request(self, *_: object, **__: object) -> None:
        raise ValueError("nobody knows why")


class _Stubborn(SparkServingEngine):
    """Its Spark starts once, ends, and then fails to start a few times, for a different reason each time."""

    def __init__(self) -> None:
        super().__init__(Path(), cast("Booster", SimpleNamespace(features=2)))
        self.failures: list[BaseException | None] = [None, OSError("no memory"), RuntimeError("a surprise"), None]
        self.code: int | None = None

    def _spawn(self) -> None:
        failure = self.failures.pop(0)
        if failure is not None:
            raise failure
        self.code = None

    async def _prove(self) -> None:
        """Ask for nothing."""

    def _connect(self) -> http.client.HTTPConnection:
        return _Broken("127.0.0.1", self._port)

    def _exit_code(self) -> int | None:
        return self.code


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> _Stubborn:
    monkeypatch.setattr(spark_serving, "_require_spark", lambda: None)
    monkeypatch.setattr(spark_serving, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(spark_serving, "POLL_SECONDS", 0.01)
    return _Stubborn()


async def _becomes(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 20 seconds")


@in_a_loop
async def test_a_spark_that_cannot_start_for_whatever_reason_is_tried_until_it_does(serving: _Stubborn) -> None:
    await serving.start()
    serving.code = 1
    await _becomes(lambda: not serving.failures and serving.ready)
    serving.close()


@in_a_loop
async def test_a_call_that_fails_for_whatever_reason_is_answered(serving: _Stubborn) -> None:
    await serving.start()
    with pytest.raises(Rejection, match="did not answer"):
        await asyncio.wait_for(serving.score(np.zeros((1, 2))), 20)
    serving.close()


@in_a_loop
async def test_more_records_than_may_wait_for_spark_are_refused(
    serving: _Stubborn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_serving, "MAX_WAITING", 4)
    serving.ready = True  # nothing takes what waits
    waiting = asyncio.create_task(serving.score(np.zeros((4, 2))))
    await asyncio.sleep(0)
    with pytest.raises(Rejection, match="Too many records"):
        await asyncio.wait_for(serving.score(np.zeros((1, 2))), 20)
    waiting.cancel()


@in_a_loop
async def test_requests_that_share_a_call_of_few_records_get_their_own_answers(
    serving: _Stubborn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sums(_: http.client.HTTPConnection, rows: Rows, _seconds: float) -> list[float]:
        assert len(rows) <= spark_query.SLOTS
        return [float(row.sum()) for row in rows]

    monkeypatch.setattr(spark_serving, "call", sums)
    await serving.start()
    asked = [np.full((rows, 2), float(number)) for number, rows in enumerate((1, 2, 1, 20, 3))]
    found = await asyncio.wait_for(asyncio.gather(*map(serving.score, asked)), 20)
    assert found == [[0.0], [2.0] * 2, [4.0], [6.0] * 20, [8.0] * 3]
    serving.close()
