"""Traces, sent by the real exporter to a stand-in for Application Insights' ingestion endpoint."""

import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("azure.monitor.opentelemetry.exporter", reason="needs `uv sync --inexact --extra azure`")

from features.bundle import Bundle
from scoring.worker import tracing
from scoring.worker.tracing import MAX_PER_SECOND, ROLE
from steps.shared.cluster_names import DRAIN_SECONDS, LEAVE_SECONDS
from tests.simulation.certificates import Authority
from tests.simulation.fakes.entra import entra
from tests.simulation.fakes.proxy import Proxy
from tests.simulation.fakes.service import Listener
from tests.simulation.tokens import verify
from tests.simulation.world import World
from tests.support.clock import Clock
from tests.support.ingestion import KEY, PATH, Ingestion, connection_to, running_ingestion
from tests.support.services import RunningService, run_scoring, running_service, wait_until

pytestmark = pytest.mark.slow

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECONDS = 20.0
HOST = "westeurope-5.in.applicationinsights.azure.com"
CLIENT, PODS = "55555555-5555-4555-8555-555555555555", "66666666-6666-4666-8666-666666666666"


@pytest.fixture
def ingestion() -> Iterator[Ingestion]:
    with running_ingestion() as found:
        yield found


@pytest.fixture
def traced(bundle: Bundle, ingestion: Ingestion, tmp_path: Path) -> Iterator[RunningService]:
    """A service that traces every request that brings no trace context."""
    file = tmp_path / "connection"
    file.write_text(ingestion.connection + "\n")
    arguments = ["--traces", str(file), "--trace-percent", "100", "--model-version", "7"]
    with running_service(bundle.path, tmp_path, arguments=arguments) as running:
        yield running


def ask(service: RunningService, request_id: str, body: object = None, **headers: str) -> httpx.Response:
    return service.client.post("/score", json=body or {}, headers={"x-request-id": request_id, **headers})


def test_a_request_arrives_as_a_span_with_nothing_of_its_record(traced: RunningService, ingestion: Ingestion) -> None:
    assert ask(traced, "one", {"cat00": "a-secret-value"}).status_code == 200
    assert ask(traced, "two", {"colour": 1}).status_code == 400
    wait_until(lambda: len(ingestion.requests()) == 2, seconds=SECONDS)
    one, two = sorted(ingestion.requests(), key=lambda item: str(item["properties"]["request_id"]))
    assert (one["name"], one["responseCode"], one["success"], one["role"]) == ("POST /score", "200", True, ROLE)
    assert (two["responseCode"], two["success"]) == ("400", False)
    assert re.fullmatch(r"0\.00:00:00\.\d{3}", one["duration"])
    assert one["trace"] != two["trace"]
    assert (one["parent"], one["share"], one["version"]) == (None, 100, "7")
    assert ingestion.paths == {PATH}
    assert {item["iKey"] for item in ingestion.items} == {KEY}
    everything = json.dumps(ingestion.items) + traced.log_file.read_text()
    assert not any(value in everything.replace(f'"iKey": "{KEY}"', "") for value in ("a-secret-value", "Bearer", KEY))


def test_a_clients_trace_is_continued_as_it_decides(traced: RunningService, ingestion: Ingestion) -> None:
    ask(traced, "sampled", traceparent=f"00-{TRACE}-{SPAN}-01")
    ask(traced, "not-sampled", traceparent=f"00-{'b' * 32}-{SPAN}-00")
    ask(traced, "nonsense", traceparent="00-nothing-of-the-kind")
    assert traced.stop() == 0  # sends the remaining traces
    found = {item["properties"]["request_id"]: item for item in ingestion.requests()}
    assert found.keys() == {"sampled", "nonsense"}
    assert (found["sampled"]["trace"], found["sampled"]["parent"]) == (TRACE, SPAN)
    assert found["nonsense"]["parent"] is None


def test_a_request_of_the_long_way_is_traced_too(traced: RunningService, ingestion: Ingestion) -> None:
    key = traced.keys_file.read_text().strip()
    head = f"POST /score HTTP/1.0\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    head += f"traceparent: 00-{TRACE}-{SPAN}-01\r\ncontent-length: 2\r\n\r\n{{}}"
    with socket.create_connection(("127.0.0.1", httpx.URL(traced.url).port or 0)) as client:
        client.sendall(head.encode())
        assert b" 200 " in client.recv(100)
    assert traced.stop() == 0
    (only,) = ingestion.requests()
    assert (only["trace"], only["parent"]) == (TRACE, SPAN)


def test_clients_that_ask_for_too_many_traces_get_some_each_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(now=1.0)
    monkeypatch.setattr(tracing, "time", clock)
    for name, value in tracing.SILENT.items():  # `Tracing` sets them for its process: undone after this test
        monkeypatch.setenv(name, value)
    for name in tracing.LIBRARIES:
        monkeypatch.setattr(logging.getLogger(name), "propagate", False)
    file = tmp_path / "connection"
    file.write_text(connection_to("http://127.0.0.1:1"))
    traces = tracing.Tracing(file, 100, version="7")
    asked = {b"traceparent": f"00-{TRACE}-{SPAN}-01".encode()}
    for _ in range(2):
        begun = [traces.begin(asked) for _ in range(10 * MAX_PER_SECOND)]
        assert [trace is not None for trace in begun] == [True] * MAX_PER_SECOND + [False] * 9 * MAX_PER_SECOND
        clock.now += 0.5
        assert traces.begin(asked) is None
        clock.now += 0.5
    traces.stop()


def test_the_service_answers_when_its_traces_are_refused_and_its_log_says_so_once(
    traced: RunningService, ingestion: Ingestion
) -> None:
    ingestion.status = 401
    assert ask(traced, "one").status_code == 200
    wait_until(lambda: _warnings(traced) == ["traces are not taken"], seconds=SECONDS)
    ingestion.status = 200
    assert ask(traced, "two").status_code == 200
    wait_until(lambda: _warnings(traced) == ["traces are not taken", "traces are taken again"], seconds=SECONDS)
    assert [line for line in traced.log() if line["level"] == "error"] == []
    assert KEY not in traced.log_file.read_text()


def test_a_service_ends_in_time_although_nobody_takes_its_traces(bundle: Bundle, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections and never answers
        file = tmp_path / "connection"
        file.write_text(connection_to(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        arguments = ["--traces", str(file), "--trace-percent", "100"]
        with running_service(bundle.path, tmp_path, arguments=arguments) as running:
            assert ask(running, "one").status_code == 200
            assert running.stop(seconds=LEAVE_SECONDS + DRAIN_SECONDS) == 0


def test_the_pods_identity_is_let_in_and_nobody_else_is_called(
    bundle: Bundle, ingestion: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Azure's host names over TLS: the pod's federated token is exchanged for an access token for the traces."""
    world, authority = World(tmp_path / "world"), Authority(tmp_path / "pki")
    world.set("clients", {CLIENT: PODS})
    directory = Listener(entra(world))
    backends = {"login.microsoftonline.com": directory.start(), HOST: httpx.URL(ingestion.url).port or 0}
    proxy = Proxy(authority, backends)
    (tmp_path / "federated").write_text("what-kubernetes-says-of-the-pod")
    (tmp_path / "connection").write_text(connection_to(f"https://{HOST}"))
    for name, value in {
        "HTTPS_PROXY": proxy.open(),
        "REQUESTS_CA_BUNDLE": str(authority.certificate_path),
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_TENANT_ID": str(world.setting("tenant")),
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "federated"),
    }.items():
        monkeypatch.setenv(name, value)
    arguments = ["--traces", str(tmp_path / "connection"), "--trace-percent", "100"]
    with running_service(bundle.path, tmp_path, arguments=arguments) as running:
        assert ask(running, "one").status_code == 200
        assert running.stop() == 0
    assert len(ingestion.requests()) == 1
    assert {verify(world, token or "", "https://monitor.azure.com") for token in ingestion.tokens} == {PODS}
    assert proxy.refused == []
    log = (tmp_path / "log").read_text()
    assert not any(secret in log for secret in (KEY, "what-kubernetes-says", *map(str, ingestion.tokens)))
    proxy.close()
    directory.stop()
    world.close()


def test_what_is_no_connection_string_is_refused_without_being_repeated(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a-key-of-the-tests-0123456789")
    file = tmp_path / "connection"
    arguments = ["--bundle", str(bundle.path), "--keys-file", str(tmp_path / "keys"), "--traces", str(file)]
    missing = run_scoring(*arguments)
    assert missing.returncode == 1
    assert "cannot be read: No such file" in missing.stderr
    file.write_text("hunter2")
    wrong = run_scoring(*arguments)
    assert wrong.returncode == 1
    assert "does not hold a connection string" in wrong.stderr
    assert "hunter2" not in wrong.stderr


def _warnings(service: RunningService) -> list[str]:
    return [line["event"] for line in service.log() if line["level"] == "warning"]
