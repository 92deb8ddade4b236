"""The commands' view of the service, against a small HTTP server."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from features.errors import BadInputError
from personalize.clients.service import Service, ServiceRefusedError, ServiceUnreachableError


class Answers:
    """What the server answers with, and what it was asked."""

    status = 200
    body: object = {}
    headers: Mapping[str, str] = {}
    asked: object = None


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def service(answers: Answers) -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answers.headers = dict(self.headers)
            answers.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = json.dumps(answers.body).encode()
            self.send_response(answers.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Service(f"http://127.0.0.1:{server.server_port}", "secret-key", None)
    server.shutdown()
    server.server_close()


def test_a_request_carries_the_key_in_a_header(service: Service, answers: Answers) -> None:
    answers.body = {"probability": 0.25}
    assert service.post("/score", {"int00": 1}) == {"probability": 0.25}
    assert answers.headers["Authorization"] == "Bearer secret-key"
    assert answers.asked == {"int00": 1}


def test_headers_of_the_caller_go_beside_the_key(service: Service, answers: Answers) -> None:
    service.post("/score", {}, {"traceparent": "00-1-2-01"})
    assert answers.headers["Authorization"] == "Bearer secret-key"
    assert answers.headers["traceparent"] == "00-1-2-01"


def test_the_key_does_not_show_in_a_representation(service: Service) -> None:
    assert "secret-key" not in repr(service)


def test_what_the_service_finds_fault_with_is_bad_input(service: Service, answers: Answers) -> None:
    answers.status = 400
    answers.body = {"error": {"code": "unknown_field", "message": "The field x is unknown.", "field": "x"}}
    with pytest.raises(BadInputError, match=r"refused it: The field x is unknown\."):
        service.post("/score", {"x": 1})


def test_an_unknown_key_names_the_way_out(service: Service, answers: Answers) -> None:
    answers.status = 401
    with pytest.raises(ServiceRefusedError, match="personalize up --refresh"):
        service.post("/score", {})


def test_a_service_that_is_not_ready_is_no_fault_of_the_caller(service: Service, answers: Answers) -> None:
    answers.status, answers.body = 503, {"error": {"message": "The model is loading."}}
    with pytest.raises(ServiceRefusedError, match=r"503.*The model is loading"):
        service.post("/score", {})


def test_a_service_that_is_gone_names_the_way_out() -> None:
    gone = Service("http://127.0.0.1:9", "key", None)
    with pytest.raises(ServiceUnreachableError, match="personalize up --refresh"):
        gone.post("/score", {})
    assert not gone.ready()
