"""Bodies that nobody reads and that stop midway: a client without a key must not take room with them."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from features.bundle import Bundle
from tests.support.raw_http import HEAD, answer, connected, only_answer
from tests.support.services import KEY, LONG_TIMEOUTS, RunningService, running_service

pytestmark = pytest.mark.slow

ROOM = 100_000
"""The limit in bytes of bodies that wait."""
SIZE = 60_000
"""Two bodies of this size are above that limit."""

LENGTH = b"content-length: %d\r\n\r\n" % SIZE
CHUNK = b"transfer-encoding: chunked\r\n\r\n%x\r\n" % SIZE
BARE = b"%b HTTP/1.1\r\nhost: x\r\n"
SCORE = HEAD.replace(b"authorization: Bearer " + KEY.encode() + b"\r\n", b"")
BEGUN = {
    "a wrong method": (405, BARE % b"POST /healthz" + LENGTH),
    "a health check": (200, BARE % b"GET /healthz" + LENGTH),
    "chunks": (200, BARE % b"GET /readyz" + CHUNK),
    "a client that asks first": (200, BARE % b"GET /readyz" + b"expect: 100-continue\r\n" + LENGTH),
    "another path": (401, BARE % b"POST /nothing" + LENGTH),
    "no key": (401, SCORE + LENGTH),
    "no key and chunks": (401, SCORE + CHUNK),
    "a wrong key": (401, HEAD.replace(KEY.encode(), b"wrong") + LENGTH),
    "a wrong key and method": (401, HEAD.replace(KEY.encode(), b"wrong").replace(b"POST", b"PUT") + LENGTH),
}


@pytest.fixture(scope="module")
def narrow(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with little room for bodies, in which clients may stall for as long as the tests take."""
    limits = ["--max-bytes-waiting", str(ROOM), "--client-seconds", "3600", *LONG_TIMEOUTS]
    with running_service(bundle.path, tmp_path_factory.mktemp("narrow"), arguments=limits) as running:
        yield running


@pytest.mark.parametrize(("status", "begun"), BEGUN.values(), ids=BEGUN)
def test_bodies_of_clients_without_a_key_take_no_room(narrow: RunningService, status: int, begun: bytes) -> None:
    own = b" " * (ROOM - 10) + b"{}"
    with ExitStack() as stack:
        strangers = [stack.enter_context(connected(narrow)) for _ in range(5)]
        for stranger in strangers:
            with suppress(ConnectionError):  # the service may have closed it
                stranger.sendall(begun + b" " * (SIZE - 1))
        for _ in range(2):
            client = stack.enter_context(connected(narrow))
            client.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(own) + own)
            assert answer(client)[0] == 200
        for stranger in strangers:  # they are answered without the rest of their bodies
            assert answer(stranger)[0] == status


@pytest.mark.parametrize("framing", [b"content-length: 1000000\r\n\r\n", CHUNK], ids=["long", "of unknown length"])
def test_a_body_that_nobody_reads_ends_the_connection_if_it_may_be_long(narrow: RunningService, framing: bytes) -> None:
    with connected(narrow) as connection:
        connection.sendall(BARE % b"GET /healthz" + framing + b" " * 1000)
        assert only_answer(connection) == (200, {"status": "running"})


def test_a_short_body_that_nobody_reads_leaves_the_connection_usable(narrow: RunningService) -> None:
    with connected(narrow) as connection:
        for path in (b"/healthz", b"/readyz", b"/healthz"):
            connection.sendall(BARE % (b"GET " + path) + b"content-length: 2\r\n\r\n{}")
            assert answer(connection)[0] == 200
