"""Limits on all that frames a body, however many bytes arrive at once, and codings that the service does not know."""

from contextlib import suppress

import pytest

from tests.support.raw_http import HEAD, answer, connected, only_answer
from tests.support.services import RunningService

CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
LARGE = 200_000
"""More bytes than the limit of headers, and about as many as one read has."""


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"x" * LARGE,
        HEAD + b"a:\r\n" * 5000 + b"content-length: 2\r\n\r\n{}",
        b"GET /healthz?" + b"x" * 20_000 + b" HTTP/1.0\r\n\r\n",
        HEAD + CHUNKED + b"2;" + b"x" * LARGE,
        HEAD + CHUNKED + b"2;" + b"x" * 20_000 + b"\r\n{}\r\n0\r\n\r\n",
        HEAD + CHUNKED + b"2\r\n{}\r\n0;" + b"x" * 20_000 + b"\r\n\r\n",
        HEAD + CHUNKED + b"2\r\n{}\r\n0\r\n" + b"x" * LARGE,
        HEAD + CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a:\r\n" * 6000 + b"\r\n",
    ],
    ids=[
        "an endless name",
        "many short headers",
        "a long target",
        "an endless extension",
        "an extension",
        "an extension at the end",
        "an endless trailer",
        "trailers",
    ],
)
def test_what_is_no_body_has_a_limit(service: RunningService, sent: bytes) -> None:
    with connected(service) as connection:
        with suppress(ConnectionError):  # the service may answer before it has the rest
            connection.sendall(sent)
        status, body = only_answer(connection)
    assert (status, body["error"]["code"]) == (431, "headers_too_large")


@pytest.mark.parametrize("size", [250_000, 1_000])
def test_a_body_has_its_own_limit(service: RunningService, size: int) -> None:
    chunks = b"%x;name=value\r\n%b\r\n" % (size, b" " * size) * (250_000 // size)
    with connected(service) as connection:
        connection.sendall(HEAD + CHUNKED + chunks + b"2\r\n{}\r\n0\r\n\r\n")
        assert answer(connection)[0] == 200


@pytest.mark.parametrize(
    "codings",
    [b"transfer-encoding: gzip, Chunked\r\n", b"transfer-encoding: gzip\r\nTransfer-Encoding: chunked\r\n"],
    ids=["one header", "two headers"],
)
def test_a_coding_that_the_service_does_not_know_is_refused(service: RunningService, codings: bytes) -> None:
    with connected(service) as connection:
        connection.sendall(HEAD + codings + b"\r\n2\r\n{}\r\n0\r\n\r\n")
        status, body = only_answer(connection)
    assert (status, body["error"]["code"]) == (501, "unknown_coding")
