"""Requests and their bodies, broken at random in many ways. The same seed gives the same ones."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from features.schema import Schema
from tests.support.bundles import random_records
from tests.support.raw_http import HEAD, HEALTH, score

Random = random.Random
Change = Callable[[Random, bytes], bytes]

TOKENS = [
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"0x1"),
    *(b'"records"', b'"user"', b'"items"', b'"top"', b'"int00"', b'"cat00"', b"\\ud800", b"\\u0000", b"\xff", b"\x00"),
    *(b"\xef\xbb\xbf", b"9" * 400, b"[" * 2000, b'{"a":' * 2000, b" " * 5000, b"\xf0\x9f\x98\x80", b"\r\n\r\n"),
]
VALUES: list[Any] = [None, True, 0, -1, 1e308, 10**40, "", "a:b", "\U0001f600", "\x00", [], {}, [[]], [None], {"a": 1}]


def bad_bodies(schema: Schema, count: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` paths, each with a body. Some bodies are valid by chance, and some were never JSON."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    records = random_records(schema, 200, seed=seed)
    for _ in range(count):
        path = draw.choice(["/score", "/rank", "/explain"])
        yield path, _body(draw, path, records, schema.features)


def _body(draw: Random, path: str, records: list[dict[str, Any]], names: tuple[str, ...]) -> bytes:
    if draw.random() < 0.05:
        return draw.randbytes(draw.randrange(300))
    value: Any = dict(draw.choice(records))
    if draw.random() < 0.6:
        _spoil(draw, value, names)
    if path == "/rank":
        value = {"user": value, "items": [dict(draw.choice(records)) for _ in range(draw.randrange(4))]}
    elif draw.random() < 0.3:
        value = {"records": [value, *(dict(one) for one in draw.choices(records, k=draw.randrange(4)))]}
    if draw.random() < 0.2:
        _spoil(draw, value, names)
    body = json.dumps(value, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
    for _ in range(draw.choice([0, 1, 1, 2, 5])):
        body = draw.choice(CHANGES)(draw, body)
    return body


def _spoil(draw: Random, value: dict[str, Any], names: tuple[str, ...]) -> None:
    """Give some fields, known and unknown ones, a value of any type."""
    for _ in range(draw.randrange(1, 4)):
        name = draw.choice([*names, "records", "user", "items", "top", "", "label", "\ud800", "x" * 300])
        value[name] = draw.choice(VALUES)


def _cut(draw: Random, body: bytes) -> bytes:
    return body[: draw.randrange(len(body) + 1)]


def _flip(draw: Random, body: bytes) -> bytes:
    if not body:
        return body
    changed = bytearray(body)
    changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _insert(draw: Random, body: bytes) -> bytes:
    place = draw.randrange(len(body) + 1)
    return body[:place] + draw.choice(TOKENS) + body[place:]


def _repeat(draw: Random, body: bytes) -> bytes:
    start, end = sorted(draw.choices(range(len(body) + 1), k=2))
    return body[:end] + body[start:end] + body[end:]


def _drop(draw: Random, body: bytes) -> bytes:
    start = draw.randrange(len(body) + 1)
    return body[:start] + body[start + draw.randrange(20) :]


CHANGES: list[Change] = [_cut, _flip, _flip, _insert, _insert, _repeat, _drop]
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
