"""Traffic mirrored to a shadow: the shadow gets its share, and the service's clients notice nothing."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from features.bundle import Bundle
from tests.simulation.certificates import Authority
from tests.support.ports import free_port
from tests.support.services import RunningService, running_service, wait_until

pytestmark = pytest.mark.slow

REQUESTS = 200
Start = Callable[..., RunningService]


@pytest.fixture
def start(bundle: Bundle, tmp_path: Path) -> Iterator[Start]:
    """Starts services with the bundle and ends them with the test."""
    with ExitStack() as running:

        def begin(name: str, *arguments: str, **options: Any) -> RunningService:
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            service: AbstractContextManager[RunningService] = running_service(
                bundle.path, folder, arguments=arguments, **options
            )
            return running.enter_context(service)

        yield begin


def copying_to(address: str) -> list[str]:
    return ["--shadow", address, "--shadow-percent", "50"]


def ask(service: RunningService, record: dict[str, Any], *, requests: int = REQUESTS) -> None:
    """Send a record `requests` times, one after the other."""
    for _ in range(requests):
        assert service.client.post("/score", json=record).status_code == 200


def scored(service: RunningService) -> dict[str, float]:
    """A service's request counts by operation and status."""
    lines = service.client.get("/metrics").text.splitlines()
    return {
        line.partition("{")[2].partition("}")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("scoring_requests_total")
    }


ANSWERED = 'operation="score",status="200"'


def copied(service: RunningService, shadow: RunningService, record: dict[str, Any]) -> bool:
    """Whether the shadow has received a copy; copies are dropped until the service has connected to it."""
    ask(service, record, requests=4)
    return bool(scored(shadow))


def test_the_shadow_scores_its_share_of_the_requests(start: Start, record: dict[str, Any]) -> None:
    shadow = start("shadow")
    service = start("service", *copying_to(shadow.url.removeprefix("http://")))

    def enough() -> bool:
        ask(service, record)
        return scored(shadow).get(ANSWERED, 0) > REQUESTS / 4

    wait_until(enough)
    assert set(scored(shadow)) == {ANSWERED}
    assert scored(shadow)[ANSWERED] <= scored(service)[ANSWERED] / 2


def test_a_refused_request_is_not_copied(start: Start, record: dict[str, Any]) -> None:
    shadow = start("shadow")
    service = start("service", "--shadow", shadow.url.removeprefix("http://"), "--shadow-percent", "100")
    wait_until(lambda: copied(service, shadow, record))
    for _ in range(5):
        assert service.client.post("/score", json={"no such field": 1}).status_code == 400
    before = scored(shadow)[ANSWERED]
    wait_until(lambda: copied(service, shadow, record) and scored(shadow)[ANSWERED] > before + 4)
    assert set(scored(shadow)) == {ANSWERED}


def test_a_shadow_that_comes_later_and_goes_is_no_matter(start: Start, record: dict[str, Any]) -> None:
    port = free_port()
    service = start("service", *copying_to(f"127.0.0.1:{port}"))
    ask(service, record)
    shadow = start("shadow", port=port)
    wait_until(lambda: copied(service, shadow, record))
    shadow.stop()
    ask(service, record)


def test_a_shadow_that_never_answers_holds_nobody_up(start: Start, record: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = start("service", *copying_to(f"127.0.0.1:{silent.getsockname()[1]}"))
        ask(service, record)  # this would never return if the service waited for the shadow
        silent.settimeout(60)
        silent.accept()[0].close()  # the service did connect


@pytest.mark.parametrize("same", [True, False], ids=["the service's own certificate", "another one"])
def test_copies_go_to_nobody_but_who_has_the_service_s_own_certificate(
    start: Start, record: dict[str, Any], tmp_path: Path, *, same: bool
) -> None:
    authority = Authority(tmp_path / "authority")
    own, other = (authority.issue(name, "scoring") for name in ("own", "other"))
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(*(own if same else other))
    with socket.create_server(("127.0.0.1", 0)) as shadow:
        shadow.settimeout(60)
        address = f"127.0.0.1:{shadow.getsockname()[1]}"
        service = start("service", *_tls(own), "--shadow", address, "--shadow-percent", "100", scheme="https")
        ask(service, record, requests=1)  # the service connects
        with shadow.accept()[0] as connection:
            connection.settimeout(60)
            if same:
                with trust.wrap_socket(connection, server_side=True) as encrypted:
                    ask(service, record, requests=5)
                    assert encrypted.recv(100).startswith(b"POST /score HTTP/1.1\r\n")
            else:
                with pytest.raises((ssl.SSLError, ConnectionError)):  # it left during the handshake
                    trust.wrap_socket(connection, server_side=True).recv(100)


def _tls(files: tuple[Path, Path]) -> list[str]:
    certificate, key = files
    return ["--tls-cert", str(certificate), "--tls-key", str(key)]
