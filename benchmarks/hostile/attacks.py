"""The attacks. Each runs for some seconds in a separate process, and returns counts of what it received.

All of them once harmed the service; `docs/explanation/scoring.md` describes the limits since.
"""

import asyncio
import itertools
import json
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvloop

IDLE_STRANGERS = 10_000
SLOW_STRANGERS = 1_000
LOOKERS = 16
ADDRESSES = 250
"""Loopback addresses from which strangers, clients without a key, connect; a remote service sees a single one."""

Found = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The service to attack."""

    host: str
    port: int
    tls: bool
    key: str
    record: dict[str, Any]
    """A record that the service can score."""

    @property
    def local(self) -> bool:
        """Whether the service is on loopback."""
        return self.host.startswith("127.")

    def request(self, path: str, body: bytes, *, key: str | None = None) -> bytes:
        """A complete request, anonymous unless it has a `key`."""
        allowed = f"authorization: Bearer {key}\r\n" if key else ""
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{allowed}content-type: application/json\r\n"
        return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body

    async def connect(self, number: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection, from one of many addresses if possible."""
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        source = (f"127.0.1.{1 + number % ADDRESSES}", 0) if self.local else None
        return await asyncio.open_connection(self.host, self.port, ssl=context, local_addr=source)


Attack = Callable[[Target, float], Awaitable[Found]]

GET = b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n"
UPGRADE = b"GET /score HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"


def run(attack: Attack, target: Target, seconds: float) -> Found:
    """Carry out an attack in this process."""
    return dict(uvloop.run(attack(target, seconds)))  # type: ignore[arg-type] # each is a coroutine


async def idle_strangers(target: Target, seconds: float) -> Found:
    """1: thousands of clients request `/healthz` once and stay connected; rejected ones reconnect."""
    return await _crowd(target, seconds, IDLE_STRANGERS, GET % b"/healthz")


async def no_handshakes(target: Target, seconds: float) -> Found:
    """2: a thousand clients connect, and never complete a TLS handshake or a request."""
    plain = Target(host=target.host, port=target.port, tls=False, key="", record={})
    return await _crowd(plain, seconds, SLOW_STRANGERS, b"\x16\x03\x01")


async def what_is_public(target: Target, _: float) -> Found:
    """3: what a stranger can read."""
    found = {}
    for path in ("/", "/healthz", "/readyz", "/metrics", "/openapi.json"):
        reader, writer = await target.connect()
        writer.write(GET % path.encode())
        found[path] = (await reader.readline()).decode().split()[1]
        writer.close()
    return {"statuses": found}


async def upgrades(target: Target, seconds: float) -> Found:
    """5: packets of thousands of upgrade requests, without a key."""
    return await _repeat(target, seconds, 4, lambda: UPGRADE * 3000)


async def tiny_chunks(target: Target, seconds: float) -> Found:
    """6: bodies of four megabytes in chunks of two bytes, with the key."""
    head = target.request("/score", b"", key=target.key).replace(b"content-length: 0", b"transfer-encoding: chunked")
    body = head + b"2\r\n  \r\n" * 2_000_000
    return await _repeat(target, seconds, 4, lambda: body)


async def lookers(target: Target, seconds: float) -> Found:
    """7: sixteen strangers request the metrics as fast as possible."""
    return await _repeat(target, seconds, LOOKERS, lambda: GET % b"/metrics", keep=True)


async def refusals(target: Target, seconds: float) -> Found:
    """9: requests with a wrong key, as fast as possible."""
    body = target.request("/score", b"{}", key="not-the-key-of-this-service")
    return await _repeat(target, seconds, LOOKERS, lambda: body, keep=True)


async def request_ids(target: Target, _: float) -> Found:
    """10: how many request IDs are given to more than one request."""
    ids: Counter[bytes] = Counter()
    for _number in range(200):
        reader, writer = await target.connect()
        writer.write(GET % b"/healthz")
        head = await reader.readuntil(b"\r\n\r\n")
        ids.update(line for line in head.split(b"\r\n") if line.startswith(b"x-request-id"))
        writer.close()
    return {"asked": ids.total(), "given twice": ids.total() - len(ids)}


async def explanations(target: Target, seconds: float) -> Found:
    """11: four clients with the key request explanations continuously."""
    body = target.request("/explain", json.dumps(target.record).encode(), key=target.key)
    return await _repeat(target, seconds, 4, lambda: body, keep=True)


async def colons(target: Target, _: float) -> Found:
    """12: batches of 1,000 records whose texts have colons, like URLs and times, compared with texts without."""
    texts = [name for name, value in target.record.items() if isinstance(value, str)]
    took = {}
    reader, writer = await target.connect()
    for label, text in (("without", "example.com/a?12.30"), ("with", "https://a?12:30")):
        body = json.dumps({"records": [target.record | dict.fromkeys(texts, text)] * 1000}).encode()
        best = float("inf")
        for _number in range(5):
            began = time.perf_counter()
            writer.write(target.request("/score", body, key=target.key))
            await _answer(reader)
            best = min(best, time.perf_counter() - began)
        took[f"milliseconds {label} colons"] = round(best * 1000, 2)
    writer.close()
    return took


async def sent_ahead(target: Target, seconds: float) -> Found:
    """13: eight clients with the key send 32 requests at once, continuously."""
    body = target.request("/score", json.dumps(target.record).encode(), key=target.key) * 32
    return await _repeat(target, seconds, 8, lambda: body, answers=32, keep=True)


async def everything_at_once(target: Target, seconds: float) -> Found:
    """1, 2 and 7 at once."""
    parts = (idle_strangers(target, seconds), no_handshakes(target, seconds), lookers(target, seconds))
    names = ("idle", "slow", "lookers")
    return dict(zip(names, await asyncio.gather(*parts), strict=True))


ATTACKS: dict[str, Attack] = {
    "1 idle strangers": idle_strangers,
    "2 no handshakes": no_handshakes,
    "3 what is public": what_is_public,
    "5 upgrades": upgrades,
    "6 tiny chunks": tiny_chunks,
    "7 lookers": lookers,
    "9 refusals": refusals,
    "10 request ids": request_ids,
    "11 explanations": explanations,
    "12 colons": colons,
    "13 sent ahead": sent_ahead,
    "1, 2 and 7 at once": everything_at_once,
}
"""Attacks 4 and 8 act on the processes, not over the network; they are in `__main__`."""


async def _crowd(target: Target, seconds: float, size: int, first: bytes) -> Found:
    """As many connections as are accepted; each sends `first` and waits until it's closed."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds

    async def stay(number: int) -> None:
        while (left := end - time.monotonic()) > 0:
            with suppress(OSError, TimeoutError):
                reader, writer = await asyncio.wait_for(target.connect(number), left)
                counts["connections"] += 1
                with _closing(writer):
                    writer.write(first)
                    await asyncio.wait_for(reader.read(), max(end - time.monotonic(), 0))  # to the connection's end
            await asyncio.sleep(1)

    await asyncio.gather(*(stay(number) for number in range(size)))
    return dict(counts)


async def _repeat(
    target: Target, seconds: float, clients: int, make: Callable[[], bytes], *, answers: int = 1, keep: bool = False
) -> Found:
    """Send continuously, on kept or new connections, and count the statuses."""
    statuses: Counter[str] = Counter()
    end = time.monotonic() + seconds
    numbers = itertools.count()

    async def one() -> None:
        while time.monotonic() < end:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                reader, writer = await target.connect(next(numbers))
                with _closing(writer):
                    while time.monotonic() < end:
                        writer.write(make())
                        for _ in range(answers):
                            statuses[await asyncio.wait_for(_answer(reader), 15)] += 1
                        if not keep:
                            break

    await asyncio.gather(*(one() for _ in range(clients)))
    return {"statuses": dict(sorted(statuses.items()))}


async def _answer(reader: asyncio.StreamReader) -> str:
    """The next answer's status; raises `IncompleteReadError` if the connection ends."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(length)
    return head.split()[1].decode()


@contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()
