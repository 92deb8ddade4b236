"""Commands that call the service, with a small HTTP server in its place."""

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from features.errors import BadInputError
from personalize.commands import service as scoring
from personalize.commands.app import app
from personalize.stack.service import Service, ServiceRefusedError, ServiceUnreachableError, trusted_certificate
from personalize.stack.stack_files import StackFiles
from steps.folders import StackFolder


@pytest.fixture
def answers() -> SimpleNamespace:
    """The server's next answer, and the last request."""
    return SimpleNamespace(status=200, body={}, asked=None)


@pytest.fixture
def service(answers: SimpleNamespace) -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answers.asked = (self.headers["Content-Type"], content)
            self.do_GET()

        def do_GET(self) -> None:
            content = json.dumps(answers.body).encode()
            self.send_response(answers.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Service(f"http://127.0.0.1:{server.server_port}", "secret-key", None)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("value", [math.inf, "\ud800"])
def test_what_is_no_json_is_left_to_the_service_to_refuse(
    service: Service, answers: SimpleNamespace, value: object
) -> None:
    service.post("/score", {"age": value})
    assert answers.asked == ("application/json", {"age": value})


@pytest.mark.parametrize("settings", [{}, {"tls_certificate": "planned.pem", "tls_key": "planned-key.pem"}])
@pytest.mark.parametrize("serves_https", [False, True])
def test_the_certificate_that_is_served_is_trusted_whatever_preview_was_asked_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], *, serves_https: bool
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    source = tmp_path / "stack.yaml"
    source.write_text(yaml.safe_dump({"config": {"personalization:scoring": settings}}))
    files = StackFiles("local", source)
    files.create_folders()
    served = StackFolder(files.folder).certificate
    if serves_https:
        served.parent.mkdir()
        served.write_text("certificate")
    files.render()
    assert trusted_certificate(files, {"endpoint": "..."}) == (served if serves_https else None)


def test_the_key_does_not_show_in_a_representation(service: Service) -> None:
    assert "secret-key" not in repr(service)


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, {"message": "The field x is unknown.", "field": "x"}, BadInputError, r"refused it: The field x is unk"),
        (503, {"message": "The model is loading."}, ServiceRefusedError, r"503.*The model is loading"),
        (401, {}, ServiceRefusedError, r"up --refresh` repairs that"),
        (404, {}, BadInputError, r"does not answer /score"),
    ],
)
def test_the_service_s_own_words_tell_whose_fault_it_is(
    service: Service, answers: SimpleNamespace, status: int, body: object, *, kind: type[Exception], said: str
) -> None:
    answers.status, answers.body = status, {"error": body}
    with pytest.raises(kind, match=said):
        service.post("/score", {"x": 1})


def test_a_service_that_is_gone_names_the_way_out() -> None:
    gone = Service("http://127.0.0.1:9", "key", None)
    with pytest.raises(ServiceUnreachableError, match="personalize up --refresh"):
        gone.post("/score", {})
    assert not gone.ready()


class Asked:
    """A service with a model on users' `age` and items' `genre` and `price`; it ranks items in reverse order."""

    bodies: list[Any]

    def __init__(self) -> None:
        self.bodies = []

    def example(self, path: str) -> Any:
        return {"genre": "example", "age": 1.0, "price": 2.0} if path == "/score" else {"items": [{}]}

    def post(self, path: str, body: Any) -> Any:
        self.bodies.append((path, body))
        if path == "/score":
            return {"probability": 0.25, "model": {"name": "ctr", "version": "3"}}
        return {"items": [{"index": index, "probability": 0.5} for index in reversed(range(len(body["items"])))]}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    service = Asked()
    monkeypatch.setattr(Service, "of", lambda _: service)
    return service


def printed(*arguments: str) -> str:
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


def test_a_ranking_names_the_items_as_its_caller_does(asked: Asked, tmp_path: Path) -> None:
    file = tmp_path / "rank.json"
    file.write_text('{"user": {"age": 7}, "items": [{"id": 17, "genre": "drama"}, {"id": "b"}, {"genre": "comedy"}]}')
    lines = printed("rank", str(file)).splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["1. item 2", "2. item b", "3. item 17"]
    assert asked.bodies == [("/rank", {"user": {"age": 7}, "items": [{"genre": "drama"}, {}, {"genre": "comedy"}]})]
    assert json.loads(printed("rank", str(file), "--json"))["items"][2] == {"index": 0, "probability": 0.5, "id": 17}


def test_what_is_no_item_is_left_to_the_service_to_refuse(asked: Asked, tmp_path: Path) -> None:
    file = tmp_path / "rank.json"
    file.write_text('{"user": {}, "items": [5, {"id": 17}]}')
    printed("rank", str(file))
    assert asked.bodies == [("/rank", {"user": {}, "items": [5, {}]})]


@pytest.mark.parametrize("content", ['{"age": ' + "9" * 5000 + "}", "[" * 100_000])
def test_a_file_that_python_cannot_read_is_bad_input(tmp_path: Path, content: str) -> None:
    file = tmp_path / "record.json"
    file.write_text(content)
    with pytest.raises(BadInputError, match=r"record\.json can't be read"):
        printed("predict", str(file))


def test_an_example_has_the_columns_of_the_model(asked: Asked) -> None:
    assert json.loads(printed("predict", "--example")) == asked.example("/score")
    assert json.loads(printed("rank", "--example")) == asked.example("/rank")
    assert asked.bodies == []


def test_an_integer_reaches_the_service_as_it_is(asked: Asked, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text('{"genre": 12}')
    assert printed("predict", str(file)) == "0.250000\n"
    assert asked.bodies == [("/score", {"genre": 12})]


@pytest.mark.parametrize("options", [(), ("--json",), ("--header",)])
def test_the_key_of_a_stack_without_a_service_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    stack = SimpleNamespace(outputs=lambda: ({"bundle_hash": "x"}, frozenset()))
    monkeypatch.setattr(scoring, "StackSession", lambda *_: stack)
    with pytest.raises(ServiceUnreachableError, match=r"no service yet.* the gate rejected the model"):
        printed("key", *options)
