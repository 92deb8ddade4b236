"""Requests whose head or framing is broken at random. The same seed gives the same requests."""

import random
from collections.abc import Iterator

from tests.support.bad_bodies import CHANGES, Random
from tests.support.raw_http import HEAD, HEALTH, score

LINES = [
    *(b"transfer-encoding: chunked", b"transfer-encoding: gzip, chunked", b"transfer-encoding: identity"),
    *(b"content-length: 0", b"content-length: 5", b"content-length: -1", b"content-length: 4294967296"),
    *(b"connection: close", b"connection: upgrade", b"upgrade: h2c", b"upgrade: websocket", b"expect: 100-continue"),
    *(b"host:", b"authorization:", b"content-type: text/plain", b"x-request-id: \xff", b": nothing", b" folded"),
    *(b"x: " + b"y" * 20_000, b"\x00", b"\r", b"cookie: a=b; c", b"content-encoding: gzip", b"te: trailers"),
]
STARTS = [
    *(b"GET /readyz HTTP/1.1", b"POST /score HTTP/1.0", b"POST /score HTTP/1.9", b"HEAD /score HTTP/1.1", b"GET /"),
    *(b"OPTIONS * HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"POST http://a/score HTTP/1.1", b"POST /rank HTTP/1.1", b""),
    *(b"POST /score?%zz HTTP/1.1", b"POST /%00 HTTP/1.1", b"PUT /metrics HTTP/1.1", b"PRI * HTTP/2.0", b"\x16\x03\x01"),
    b"POST /" + b"a" * 20_000 + b" HTTP/1.1",
]
RIGHT = [score(), score({"int00": 1.5}), HEALTH, HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]


def bad_requests(count: int, *, seed: int) -> Iterator[bytes]:
    """`count` times the bytes of one to three requests. Some are valid by chance, and some aren't HTTP at all."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(count):
        yield b"".join(_request(draw) for _ in range(draw.choice([1, 1, 2, 3])))


def _request(draw: Random) -> bytes:
    if draw.random() < 0.05:
        return draw.randbytes(draw.randrange(300))
    head, end, body = draw.choice(RIGHT).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if draw.random() < 0.4:
        lines[0] = draw.choice(STARTS)
    for _ in range(draw.choice([0, 1, 1, 2, 4])):
        lines.insert(draw.randrange(1, len(lines) + 1), draw.choice(LINES))
    if draw.random() < 0.2:
        del lines[draw.randrange(len(lines))]
    request = b"\r\n".join(lines) + end + body
    for _ in range(draw.choice([0, 0, 1, 3])):
        request = draw.choice(CHANGES)(draw, request)
    return request
