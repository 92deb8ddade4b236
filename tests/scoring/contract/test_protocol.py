"""HTTP as real clients, proxies and attackers send it: unusual but valid, invalid, fragmented, and cut off."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from features.bundle import Bundle
from tests.support.raw_http import HEAD, answer, connected, everything, only_answer, score, trickle
from tests.support.services import RunningService, running_service

CHUNKED = b"transfer-encoding: chunked\r\n"
CLIENT_SECONDS = 1
LARGE = 200_000
"""More bytes than the limit of headers, and about as many as one read has."""

WRONG = {
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a list of lengths": HEAD + b"content-length: 2, 2\r\n\r\n{}",
    "a negative length": HEAD + b"content-length: -2\r\n\r\n{}",
    "a length with a sign": HEAD + b"content-length: +2\r\n\r\n{}",
    "a hexadecimal length": HEAD + b"content-length: 0x2\r\n\r\n{}",
    "an empty length": HEAD + b"content-length: \r\n\r\n{}",
    "a length above 64 bits": HEAD + b"content-length: 99999999999999999999999\r\n\r\n{}",
    "a length and chunks": HEAD + b"content-length: 2\r\n" + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks and a length": HEAD + CHUNKED + b"content-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an unknown coding": HEAD + b"transfer-encoding: gzip\r\n\r\n{}",
    "chunks within chunks": HEAD + b"transfer-encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "something like chunks": HEAD + b"transfer-encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "another version": HEAD.replace(b"HTTP/1.1", b"HTTP/2.0") + b"content-length: 2\r\n\r\n{}",
    "a negative chunk": HEAD + CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk above 64 bits": HEAD + CHUNKED + b"\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": HEAD + CHUNKED + b"\r\n1\r\n{}\r\n0\r\n\r\n",
    "a header without a colon": HEAD + b"nothing\r\ncontent-length: 2\r\n\r\n{}",
    "a space in a name": HEAD + b"x y: 1\r\ncontent-length: 2\r\n\r\n{}",
    "a space behind a name": HEAD + b"content-length : 2\r\n\r\n{}",
    "a zero byte": HEAD + b"x: a\x00b\r\ncontent-length: 2\r\n\r\n{}",
    "a carriage return": HEAD + b"x: a\rb\r\ncontent-length: 2\r\n\r\n{}",
    "a folded header": HEAD + b"x: a\r\n b\r\ncontent-length: 2\r\n\r\n{}",
    "line feeds alone": score().replace(b"\r\n", b"\n"),
    "a method in small letters": score().replace(b"POST", b"post"),
    "an endless method": b"A" * 3000 + score(),
    "a target without a slash": score().replace(b"/score", b"score"),
    "a target that is not ASCII": score().replace(b"/score", b"/sc\xf6re"),
    "no host": score().replace(b"host: x\r\n", b""),
    "two hosts": score(more=b"host: y\r\n"),
    "no host and an upgrade": score(more=b"connection: upgrade\r\nupgrade: h2c\r\n").replace(b"host: x\r\n", b""),
    "no HTTP": b"nothing\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01",
    "a version to come": b"GET /healthz HTTP/9.9\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


TOO_LARGE = {
    "an endless name": HEAD + b"x" * LARGE,
    "many short headers": HEAD + b"a:\r\n" * 5000 + b"content-length: 2\r\n\r\n{}",
    "a long target": b"GET /healthz?" + b"x" * 20_000 + b" HTTP/1.0\r\n\r\n",
    "an endless extension": HEAD + CHUNKED + b"\r\n2;" + b"x" * LARGE,
    "an extension": HEAD + CHUNKED + b"\r\n2;" + b"x" * LARGE + b"\r\n{}\r\n0\r\n\r\n",
    "an extension at the end": HEAD + CHUNKED + b"\r\n2\r\n{}\r\n0;" + b"x" * LARGE + b"\r\n\r\n",
    "an endless trailer": HEAD + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n" + b"x" * LARGE,
    "trailers": HEAD + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n" + b"a:\r\n" * 6000 + b"\r\n",
}
CODED = {
    "a coding": HEAD + b"transfer-encoding: gzip, Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two codings": HEAD + b"transfer-encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
}
TUNNELS = {
    "a tunnel": score().replace(b"POST /score", b"CONNECT example.com:443"),
    "a tunnel to a path": score().replace(b"POST /score", b"CONNECT /score"),
}
REFUSED = {
    name: (sent, status, code)
    for kind, status, code in (
        (WRONG, 400, "invalid_http"),
        (TOO_LARGE, 431, "headers_too_large"),
        (CODED, 501, "unknown_coding"),
        (TUNNELS, 405, "method_not_allowed"),
    )
    for name, sent in kind.items()
}


@pytest.mark.parametrize(("sent", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_what_two_readers_could_take_for_two_things_is_refused(
    service: RunningService, sent: bytes, status: int, code: str
) -> None:
    with connected(service) as connection:
        with suppress(ConnectionError):  # the service may answer before it has the rest
            connection.sendall(sent)
        found, body = only_answer(connection)
    assert (found, body["error"]["code"]) == (status, code)


@pytest.mark.parametrize("size", [250_000, 1_000])
def test_a_body_has_its_own_limit(service: RunningService, size: int) -> None:
    chunks = b"%x;name=value\r\n%b\r\n" % (size, b" " * size) * (250_000 // size)
    with connected(service) as connection:
        connection.sendall(HEAD + CHUNKED + b"\r\n" + chunks + b"2\r\n{}\r\n0\r\n\r\n")
        assert answer(connection)[0] == 200


def _chunked(body: bytes, size: int) -> bytes:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x;name=value\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nx-last: 1\r\n\r\n"


def _in_chunks(record: dict[str, Any]) -> bytes:
    return HEAD + CHUNKED + b"\r\n" + _chunked(json.dumps(record).encode(), 1)


def _absolute(record: dict[str, Any]) -> bytes:
    return score(record).replace(b"/score", b"http://example.com/score?a=b", 1)


def _behind_empty_lines(record: dict[str, Any]) -> bytes:
    return b"\r\n\r\n" + score(record)


def _foreign_bytes(record: dict[str, Any]) -> bytes:
    return score(record, more=b"x-name: \xe9\xff\r\nx-request-id: a b\r\n")


def _asks_for_http2(record: dict[str, Any]) -> bytes:
    """Java's HTTP client sends these headers with its first request."""
    return score(record, more=b"connection: Upgrade, HTTP2-Settings\r\nhttp2-settings: AAEAAEAA\r\nupgrade: h2c\r\n")


def _asks_for_http2_in_chunks(record: dict[str, Any]) -> bytes:
    return _in_chunks(record).replace(CHUNKED, CHUNKED + b"connection: upgrade\r\nupgrade: h2c\r\n")


def _with_spaces(record: dict[str, Any]) -> bytes:
    line, *headers, end, body = score(record).replace(b"Bearer ", b"Bearer  ").split(b"\r\n")
    return b"\r\n".join([line, *(header + b" \t" for header in headers), end, body])


UNUSUAL = [score, _in_chunks, _absolute, _behind_empty_lines, _foreign_bytes, _asks_for_http2]


@pytest.mark.parametrize("pieces", [True, False], ids=["in pieces", "at once"])
@pytest.mark.parametrize("make", [*UNUSUAL, _asks_for_http2_in_chunks, _with_spaces])
def test_what_is_unusual_but_right_is_answered(
    service: RunningService, bundle: Bundle, make: Callable[[dict[str, Any]], bytes], *, pieces: bool
) -> None:
    with connected(service) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for golden in bundle.click_model.golden[:2]:  # the second request shows that the connection is still usable
            sent = make(dict(golden.record))
            for start in range(0, len(sent), 7 if pieces else len(sent)):
                connection.sendall(sent[start : start + (7 if pieces else len(sent))])
            status, _, body = answer(connection)
            assert status == 200
            assert json.loads(body)["probability"] == pytest.approx(golden.probability, abs=1e-9)


@pytest.mark.parametrize("make", [*UNUSUAL, _asks_for_http2_in_chunks])
@pytest.mark.parametrize("keep", [b"", b"connection: keep-alive\r\n"], ids=["", "keep-alive"])
def test_http_1_0_is_answered_whatever_it_asks_and_closed(
    service: RunningService, bundle: Bundle, make: Callable[[dict[str, Any]], bytes], keep: bytes
) -> None:
    golden = bundle.click_model.golden[0]
    with connected(service) as connection:
        connection.sendall(make(dict(golden.record)).replace(b" HTTP/1.1\r\nhost: x\r\n", b" HTTP/1.0\r\n" + keep))
        status, body = only_answer(connection)
    assert status == 200
    assert body["probability"] == pytest.approx(golden.probability, abs=1e-9)


@pytest.mark.parametrize(
    ("version", "expect", "answers"),
    [(b"1.0", b"100-continue", [b"200"]), (b"1.1", b"100-Continue ", [b"100", b"200"])],
)
def test_only_http_1_1_is_told_to_send_its_body(
    service: RunningService, version: bytes, expect: bytes, answers: list[bytes]
) -> None:
    with connected(service) as connection:
        sent = score(more=b"expect: %b\r\nconnection: close\r\n" % expect)
        connection.sendall(sent.replace(b"HTTP/1.1", b"HTTP/" + version))
        assert re.findall(rb"HTTP/1.1 (\d+)", everything(connection)) == answers


def test_two_requests_cut_anywhere_get_their_own_answers(service: RunningService, bundle: Bundle) -> None:
    first, second = bundle.click_model.golden[:2]
    sent = score(first.record) + score(second.record, more=b"connection: close\r\n")
    for place in range(1, len(sent), 11):
        with connected(service) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(sent[:place])
            connection.sendall(sent[place:])
            answers = everything(connection).split(b"HTTP/1.1 200 OK")[1:]
        found = [json.loads(one.partition(b"\r\n\r\n")[2])["probability"] for one in answers]
        assert found == pytest.approx([first.probability, second.probability], abs=1e-9)


@pytest.fixture(scope="module")
def alone(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service whose only clients are those of this module, so that its open files are theirs."""
    arguments = ["--client-seconds", str(CLIENT_SECONDS)]
    with running_service(bundle.path, tmp_path_factory.mktemp("alone"), arguments=arguments) as running:
        yield running


def test_a_request_that_trickles_in_gets_no_more_time(alone: RunningService) -> None:
    body, chunks = HEAD + b"content-length: 100000\r\n\r\n", HEAD + CHUNKED + b"\r\n"
    for head, then in ((HEAD, b"x-more: a\r\n"), (body, b" "), (chunks, b"1\r\n \r\n")):
        began = time.monotonic()
        with connected(alone) as connection, pytest.raises(ConnectionError):
            trickle(connection, head, then)
        assert time.monotonic() - began > CLIENT_SECONDS - 0.1
