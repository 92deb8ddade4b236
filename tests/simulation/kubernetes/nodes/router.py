"""Load balancer and kube-proxy in one: routes each new connection to a ready pod of a Service, then only forwards.

It learns about changes late, as they do. An open connection stays with its pod, and a pod's refusal reaches the client:
nothing is retried.
"""

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import httpx

from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.kubernetes.nodes.pod import local_address

LOOK_SECONDS = 0.1
START_SECONDS = 15.0
Endpoint = tuple[str, int]


class Router(threading.Thread):
    """Listens on `port` of loopback from `start` to `stop`."""

    def __init__(self, plane: ControlPlane, namespace: str, service: str, *, lag_seconds: float) -> None:
        """New connections follow a change of the Service's endpoints after `lag_seconds`."""
        super().__init__(name="router", daemon=True)
        self._plane = plane
        self._slices = (
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
            f"?labelSelector=kubernetes.io/service-name%3D{service}"
        )
        self._lag_seconds = lag_seconds
        self._over = threading.Event()
        self._listens = threading.Event()
        self._news: deque[tuple[float, list[Endpoint]]] = deque()
        self._choice = random.Random(1)  # noqa: S311 - no secret
        self.port = 0
        self.endpoints: list[Endpoint] = []
        """The pods that get new connections."""
        self.blind_seconds = 0.0
        """The longest time between two reads of the Service's endpoints."""
        self.refused = 0
        """Connections that no pod took."""
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Serve until the end."""
        asyncio.run(self._main())  # uvloop aborts the process if both ends close at once

    def start(self) -> None:
        """Start, and wait until it listens."""
        super().start()
        if not self._listens.wait(START_SECONDS):
            raise RuntimeError("the router did not start")

    def stop(self) -> None:
        """End it and wait for it."""
        self._over.set()
        self.join()

    def choose(self) -> Endpoint | None:
        """The pod of the next connection."""
        return self._choice.choice(self.endpoints) if self.endpoints else None

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Client(self), "127.0.0.1", 0, backlog=1024)
        self.port = int(server.sockets[0].getsockname()[1])
        self._listens.set()
        looked = time.monotonic()
        while not self._over.is_set():
            try:
                with suppress(httpx.TransportError):  # the API server is down: keep the known endpoints
                    await self._look()
                    self.blind_seconds = max(self.blind_seconds, time.monotonic() - looked)
                    looked = time.monotonic()
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; tests read the list
                self.errors.append(error)
            await asyncio.sleep(LOOK_SECONDS)
        server.close()

    async def _look(self) -> None:
        slices = await asyncio.to_thread(self._plane.items, self._slices)
        now, found = time.monotonic(), _endpoints(slices)
        if found != (self._news[-1][1] if self._news else self.endpoints):
            self._news.append((now + self._lag_seconds, found))
        while self._news and self._news[0][0] <= now:
            self.endpoints = self._news.popleft()[1]


class _Side(asyncio.Protocol):
    """One end of a connection, which forwards data as soon as there is another end."""

    def __init__(self) -> None:
        self.other: asyncio.Transport | None = None
        self._early = b""

    def join(self, other: asyncio.Transport) -> None:
        """Forward to `other` from now on, first what was received before."""
        self.other = other
        other.write(self._early)

    def data_received(self, data: bytes) -> None:
        """Forward it."""
        if self.other is None:
            self._early += data
        else:
            self.other.write(data)

    def eof_received(self) -> bool:
        """Forward the end; the other direction stays open."""
        if self.other is not None and self.other.can_write_eof():
            self.other.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other side as this one was closed."""
        if self.other is not None:
            (self.other.abort if exc else self.other.close)()


class _Client(_Side):
    """The client's end."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect the other side."""
        self.transport = cast("asyncio.Transport", transport)
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        endpoint = self._router.choose()
        try:
            if endpoint is None:
                raise ConnectionRefusedError
            other, side = await asyncio.get_running_loop().create_connection(_Side, *endpoint)
        except OSError:
            self._router.refused += 1
            self.transport.abort()
            return
        if self.transport.is_closing():
            other.abort()
            return
        side.join(self.transport)
        self.join(other)


def _endpoints(slices: list[dict[str, Any]]) -> list[Endpoint]:
    """The ready endpoints; if there are none, those that still serve while terminating, as kube-proxy does."""
    ready, serving = [], []
    for found in slices:
        ports = [int(port["port"]) for port in found.get("ports") or []]
        for endpoint in found.get("endpoints") or []:
            places = [(local_address(address), port) for address in endpoint["addresses"] for port in ports]
            conditions: Mapping[str, bool] = endpoint.get("conditions", {})
            ready.extend(places if conditions.get("ready") else [])
            serving.extend(places if conditions.get("serving") else [])
    return sorted(ready or serving)
