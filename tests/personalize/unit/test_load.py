"""The load generator against small servers with known faults."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from personalize.load.client import run_load
from personalize.load.plan import LoadPlan, LoadResult, plot_load

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n{}"
HEADERS = {"x-test": "1"}


def test_each_client_of_the_closed_loop_waits_for_its_answer() -> None:
    with _server(_answering(OK, seconds=0.02)) as port:
        result = run_load(_plan(port, connections=4, seconds=1.0))
    assert min(result.accepted) >= 0.019
    assert 4 <= len(result.accepted) <= 4 * (1 + result.seconds / 0.019)  # one at a time from each client
    assert result.errors == {}


def test_the_open_loop_keeps_its_rate_whatever_the_service_does() -> None:
    with _server(_answering(OK)) as port:
        result = run_load(_plan(port, connections=8, seconds=2.0, rate=200.0))
    assert 300 < len(result.accepted) < 500  # the seed sets the number; late requests are sent all the same
    assert result.errors == {}


def test_several_processes_share_the_rate_and_the_connections() -> None:
    with _server(_answering(OK)) as port:
        result = run_load(_plan(port, connections=3, seconds=2.0, rate=200.0), processes=2)
    assert 300 < len(result.accepted) < 500
    assert result.errors == {}
    assert result.seconds > 1.9


def test_the_parts_of_a_plan_are_the_whole() -> None:
    parts = _plan(1, connections=7, seconds=1.0, rate=90.0).split(3)
    assert [part.connections for part in parts] == [3, 2, 2]
    assert [part.rate for part in parts] == [30.0] * 3
    assert len({part.seed for part in parts}) == 3
    assert len(_plan(1, connections=2, seconds=1.0).split(8)) == 2


def test_bodies_are_sent_in_turn_by_each_part_from_another_one_on() -> None:
    plan = replace(_plan(1, connections=4, seconds=1.0), bodies=[b"{}", b"[0]", b"[10]"])
    assert [request.split(b"\r\n")[-1] for request in plan.requests()] == [b"{}", b"[0]", b"[10]"]
    heads = [request.split(b"\r\n\r\n")[0] for request in plan.requests()]
    assert [head.rpartition(b"content-length: ")[2] for head in heads] == [b"2", b"3", b"4"]
    assert [part.bodies for part in plan.split(2)] == [[b"{}", b"[0]", b"[10]"], [b"[0]", b"[10]", b"{}"]]


def test_a_service_gets_one_body_after_the_other() -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await _read(reader):
            got.append(request[-2:])
            writer.write(OK)

    with _server(serve) as port:
        run_load(replace(_plan(port, connections=1, seconds=0.3, rate=100.0), bodies=[b"11", b"22", b"33"]))
    assert len(got) > 5
    assert got == [b"11", b"22", b"33"] * (len(got) // 3) + [b"11", b"22", b"33"][: len(got) % 3]


def test_a_stall_counts_for_every_request_that_it_held_up() -> None:
    stall = {"until": 0.0}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _read(reader):
            if not stall["until"]:
                stall["until"] = time.monotonic() + 0.5
            await asyncio.sleep(max(0.0, stall["until"] - time.monotonic()))
            writer.write(OK)

    with _server(serve) as port:
        result = run_load(_plan(port, connections=1, seconds=1.0, rate=100.0))
    waited = sum(seconds > 0.1 for seconds in result.accepted)
    assert waited > 20  # a client that waits for each answer before it sends again would have seen one slow answer


def test_refusals_are_counted_apart() -> None:
    with _server(_answering(BUSY)) as port:
        result = run_load(_plan(port, connections=2, seconds=0.3))
    assert set(result.statuses) == {503}
    assert not result.accepted
    assert result.summary()["refused_milliseconds"]["p50"] > 0
    assert result.summary()["accepted_milliseconds"] == {}
    assert result.summary()["failed"] == result.statuses[503]


def test_a_connection_that_ends_without_an_answer_is_an_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _read(reader)
        writer.close()

    with _server(serve) as port:
        result = run_load(_plan(port, connections=2, seconds=0.3))
    assert set(result.errors) == {"the connection ended"}


def test_a_connection_that_ends_with_its_answer_is_none() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _read(reader)
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        writer.close()

    with _server(serve) as port:
        result = run_load(_plan(port, connections=2, seconds=0.5, rate=100.0))
    assert len(result.accepted) > 10
    assert result.errors == {}


def test_an_answer_that_does_not_come_is_an_error() -> None:
    with _server(_answering(OK, seconds=30)) as port:
        result = run_load(_plan(port, connections=2, seconds=0.5, timeout_seconds=0.2))
    assert set(result.errors) == {"no answer in time"}


def test_a_service_that_is_not_there_is_an_error() -> None:
    with _server(_answering(OK)) as port:
        pass
    result = run_load(_plan(port, connections=2, seconds=0.2, timeout_seconds=0.2))
    assert result.errors["no connection"] >= 2
    assert not result.accepted


def test_percentiles_are_of_the_answers_that_came() -> None:
    result = LoadResult(seconds=10.0)
    for number in range(1, 1001):
        result.answered(200, 0.0, number / 1000)
    latencies = result.summary()["accepted_milliseconds"]
    assert latencies == {"p50": 500.0, "p90": 900.0, "p99": 990.0, "p99.9": 999.0, "max": 1000.0}
    assert result.summary()["accepted_per_second"] == 100.0


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_charts_are_drawn(tmp_path: Path, ending: str) -> None:
    result = LoadResult(seconds=2.0)
    for number in range(200):
        result.answered(200, number / 100, number / 100 + 0.001 * (1 + number % 7))
    file = tmp_path / "folder" / f"load.{ending}"
    plot_load(result, "A test", file)
    assert file.stat().st_size > 5000


def _plan(
    port: int, *, connections: int, seconds: float, rate: float | None = None, timeout_seconds: float = 60.0
) -> LoadPlan:
    return LoadPlan(
        host="127.0.0.1",
        port=port,
        path="/score",
        bodies=[b"{}"],
        headers=HEADERS,
        connections=connections,
        seconds=seconds,
        rate=rate,
        timeout_seconds=timeout_seconds,
    )


def _answering(answer: bytes, *, seconds: float = 0.0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _read(reader):
            await asyncio.sleep(seconds)
            writer.write(answer)

    return serve


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    assert b"x-test: 1\r\n" in head
    return head + await reader.readexactly(2)


@contextmanager
def _server(serve: Serve) -> Iterator[int]:
    loop = asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    thread = threading.Thread(target=loop.run_forever)
    server = loop.run_until_complete(start())
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        loop.call_soon_threadsafe(lambda: loop.call_later(0.05, loop.stop))
        thread.join()
        loop.close()
