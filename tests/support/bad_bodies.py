"""Request bodies that are broken at random in many ways. The same seed gives the same bodies."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from features.schema import Schema
from tests.support.bundles import random_records

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
