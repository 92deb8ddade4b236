"""Load on a service at a given rate (open loop): requests come at random times.

A request that is late because all connections wait for answers counts from the time at which it was due: otherwise a
stall would hide the requests that it delayed. Closed loops are `wrk`'s.
"""

import asyncio
import math
import random
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle
from typing import Any

import uvloop

TIMEOUT_SECONDS = 10.0
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True, kw_only=True)
class Load:
    """Requests with these bodies, sent in turn by `connections` clients."""

    host: str
    port: int
    path: str = "/score"
    bodies: Sequence[bytes] = (b"{}",)
    headers: Mapping[str, str] = field(default_factory=dict)
    connections: int = 16
    seconds: float = 10.0
    rate: float = 0.0
    """Requests per second of an open loop."""
    seed: int = 1

    @property
    def url(self) -> str:
        """The address of the requests."""
        return f"http://{self.host}:{self.port}{self.path}"

    def requests(self) -> list[bytes]:
        """The bytes of each request."""
        headers = {"host": f"{self.host}:{self.port}", "content-type": "application/json", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {self.path} HTTP/1.1\r\n{lines}content-length: ".encode("latin-1")
        return [b"%b%d\r\n\r\n%b" % (head, len(body), body) for body in self.bodies]


@dataclass(kw_only=True)
class Answers:
    """The answers; latencies in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    """Requests without an answer, by cause."""
    accepted: list[float] = field(default_factory=list)
    """Latency of each answer with status 200."""
    refused: list[float] = field(default_factory=list)
    """Latency of each other answer."""

    def summary(self) -> dict[str, Any]:
        """The figures as JSON values, with latencies in milliseconds."""
        requests = self.statuses.total() + self.errors.total()
        return {
            "seconds": round(self.seconds, 3),
            "requests": requests,
            "accepted_per_second": round(len(self.accepted) / self.seconds, 1),
            "errors": dict(self.errors),
            "failed": requests - len(self.accepted),
            "accepted_milliseconds": _latencies(self.accepted),
            "refused_milliseconds": _latencies(self.refused),
        }


def run_load(load: Load) -> Answers:
    """Send the load. Errors are counted, not raised."""
    return uvloop.run(_run(load))


async def _run(load: Load) -> Answers:
    senders = _Senders(load)
    await asyncio.gather(*(senders.send() for _ in range(load.connections)))
    senders.answers.seconds = senders.now()
    return senders.answers


class _Senders:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = cycle(load.requests())
        draw = random.Random(load.seed).expovariate  # noqa: S311 - no secret
        self._due: deque[float] = deque()
        at = draw(load.rate)
        while at < load.seconds:
            self._due.append(at)
            at += draw(load.rate)
        self.answers = Answers()
        self._began = time.perf_counter()

    def now(self) -> float:
        """Seconds since the begin."""
        return time.perf_counter() - self._began

    async def send(self) -> None:
        """One client: send the requests that are due, one after the other, on a connection as long as it is kept."""
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        while (due := await self._next_due()) is not None:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    if reader is None or writer is None or reader.at_eof() or writer.is_closing():
                        reader, writer = await asyncio.open_connection(self._load.host, self._load.port)
                    writer.write(next(self._requests))
                    status, kept = await _answer(reader)
            except (OSError, EOFError, TimeoutError) as error:
                self.answers.errors[type(error).__name__] += 1
                kept = False
                await asyncio.sleep(0.01)
            else:
                self.answers.statuses[status] += 1
                latencies = self.answers.accepted if status == HTTPStatus.OK else self.answers.refused
                latencies.append(self.now() - due)
            if not kept and writer is not None:
                writer.transport.abort()
                reader = writer = None
        if writer is not None:
            writer.transport.abort()

    async def _next_due(self) -> float | None:
        """The time from which the next request counts, when it is there; None at the end."""
        if not self._due:
            return None
        if self.now() > self._load.seconds + TIMEOUT_SECONDS:
            self.answers.errors["not sent in time"] += len(self._due)
            self._due.clear()
            return None
        due = self._due.popleft()
        if (wait := due - self.now()) <= 0:
            return due
        await asyncio.sleep(wait)
        return self.now()  # a client that waits is late by its timer


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status of the next answer, and whether the connection is kept after it."""
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines if line)
    await reader.readexactly(int(headers[b"content-length"]))
    return int(head.split()[1]), headers.get(b"connection") != b"close"


def _latencies(seconds: list[float]) -> dict[str, float]:
    """Percentiles by name, in milliseconds; empty without answers."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    found = {f"p{rank:g}": ordered[math.ceil(len(ordered) * rank / 100) - 1] for rank in PERCENTILES}
    return {name: round(value * 1000, 3) for name, value in (found | {"max": ordered[-1]}).items()}
