"""The clients of a load test: one event loop, with a small protocol for each connection.

In the open loop, the times of requests are drawn in advance. A request that is late because all connections are waiting
still counts from its own time. Otherwise a stall would hide the requests that it delayed.
"""

import asyncio
import gc
import random
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from multiprocessing import get_context
from typing import cast

import httptools
import uvloop

from personalize.clients.tls import trusting
from personalize.load.plan import LoadPlan, LoadResult

SWEEP_SECONDS = 0.1
SPIN_SECONDS = 0.002
"""Waits below this time are busy, since an event loop's timers are too coarse."""
SPIN_RATE = 2_000.0
"""Above this rate per process, requests are sent in groups by a timer, one or two milliseconds late: a busy wait would
take a core that the service needs."""


def run_load(plan: LoadPlan, *, processes: int = 1) -> LoadResult:
    """Run a plan in this many processes. Errors are counted, not raised.

    One process is an event loop on one core. It sends about 30,000 requests per second; close to that it is late
    itself.
    """
    if processes == 1:
        return _run(plan)
    # This process gets Ctrl-C, and ends the others.
    with get_context("spawn").Pool(processes, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        return LoadResult.together(pool.map(_run, plan.split(processes), chunksize=1))


def _run(plan: LoadPlan) -> LoadResult:
    load = _Load(plan)
    collects = gc.isenabled()
    gc.disable()  # a collection would look like a delay of the service
    try:
        return uvloop.run(load.run())
    finally:
        if collects:
            gc.enable()


class _Load:
    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.next_request = cycle(plan.requests()).__next__
        self.result = LoadResult()
        self.running = True
        self._trust = trusting(plan.authorities) if plan.tls else None
        self._idle: list[_Client] = []
        self._busy: set[_Client] = set()
        self._late: deque[float] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._clients: set[_Client] = set()
        self._answered = asyncio.Event()

    async def run(self) -> LoadResult:
        self.loop = asyncio.get_running_loop()
        await asyncio.gather(*(self._connect() for _ in range(self.plan.connections)))
        self._start = time.perf_counter()
        sweep = asyncio.create_task(self._sweep())
        if self.plan.rate is None:
            for client in list(self._idle):
                self.idle(client)
            await asyncio.sleep(self.plan.seconds)
        else:
            await self._arrive(self.plan.rate)
        self.running = False
        self.result.seconds = self.now()
        if self._busy or self._late:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answered.wait(), self.plan.timeout_seconds + 1)
        if self._late:
            self.result.errors["not sent in time"] += len(self._late)
        sweep.cancel()
        for client in list(self._clients):
            client.close()
        return self.result

    def now(self) -> float:
        """Seconds since the first request."""
        return time.perf_counter() - self._start  # the loop's clock stands still while it works

    def idle(self, client: "_Client") -> None:
        """Send the next request by a client that has its answer, if one is due."""
        self._busy.discard(client)
        if self.plan.rate is None:
            if self.running:
                self._send(client, self.now())
        elif self._late:
            self._send(client, self._late.popleft())
        else:
            self._idle.append(client)
        self._note_end()

    def finished(self, client: "_Client") -> None:
        """Note the answer of a client whose connection ends with it."""
        self._busy.discard(client)
        self._note_end()

    def lost(self, client: "_Client", error: str | None) -> None:
        """Replace a client whose connection ended, and count its request as an error."""
        self._clients.discard(client)
        if client in self._busy:
            self._busy.discard(client)
            self.result.errors[error or "the connection ended"] += 1
        elif client in self._idle:
            self._idle.remove(client)
        if self.running or self._late:
            task = asyncio.create_task(self._connect_and_go())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        self._note_end()

    def _note_end(self) -> None:
        if not (self.running or self._busy or self._late):
            self._answered.set()

    def _send(self, client: "_Client", intended: float) -> None:
        self._busy.add(client)
        client.send(intended)

    async def _connect(self) -> None:
        try:
            _, client = await self.loop.create_connection(
                lambda: _Client(self), self.plan.host, self.plan.port, ssl=self._trust
            )
        except OSError:
            self.result.errors["no connection"] += 1
            return
        if client.ended():  # before this task ran; `lost` opens another one
            return
        self._clients.add(client)
        self._idle.append(client)

    async def _connect_and_go(self) -> None:
        await self._connect()
        if self._idle and (self._late or self.plan.rate is None):
            self.idle(self._idle.pop())
        elif not self._idle:
            await asyncio.sleep(SWEEP_SECONDS)
            if self.running and len(self._busy) < self.plan.connections:
                await self._connect_and_go()

    async def _arrive(self, rate: float) -> None:
        draw: Callable[[float], float] = random.Random(self.plan.seed).expovariate  # noqa: S311 - no secret
        due = draw(rate)
        shortest = SPIN_SECONDS / 2 if rate > SPIN_RATE else 0
        while due < self.plan.seconds:
            now = self.now()
            while due <= now and due < self.plan.seconds:
                if self._idle:
                    self._send(self._idle.pop(), due)
                else:
                    self._late.append(due)
                due += draw(rate)
            wait = due - self.now()
            await asyncio.sleep(max(wait - SPIN_SECONDS, shortest))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for client in [one for one in self._busy if self.now() - one.sent > self.plan.timeout_seconds]:
                client.time_out()


class _Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._intended = self.sent = 0.0
        self._error: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class is not asyncio's
        self._parser = httptools.HttpResponseParser(self)

    def ended(self) -> bool:
        """Whether the service has closed the connection."""
        return self._transport.is_closing()

    def send(self, intended: float) -> None:
        self._intended, self.sent = intended, self._load.now()
        self._transport.write(self._load.next_request())

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._error = "the answer is not HTTP"
            self._transport.abort()

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer."""
        load = self._load
        load.result.answered(self._parser.get_status_code(), self._intended, load.now())
        if self._parser.should_keep_alive():
            load.idle(self)
        else:
            load.finished(self)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._load.lost(self, self._error)

    def time_out(self) -> None:
        self._error = "no answer in time"
        self._transport.abort()

    def close(self) -> None:
        self._transport.abort()
