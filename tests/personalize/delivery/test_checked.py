"""A deployment runs the checks again only for files that have not passed them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from personalize.delivery import checked
from personalize.delivery.checked import ACTIONS, ALL_CHECKS, checked_as, main
from tests.personalize.delivery.workflow import load

PULL = {"merged_at": "2026-11-25T00:00:00Z", "head": {"sha": "head"}}
PASSED = {"name": ALL_CHECKS[0], "conclusion": "success", "app": {"slug": ACTIONS}}


class Repository:
    """Commits with their files, pull requests and checks, as GitHub's REST API describes them."""

    def __init__(self, **checks: list[dict[str, Any]]) -> None:
        self.trees = {"merged": "files", "head": "files", "other": "others"}
        self.pulls: list[dict[str, Any]] = [PULL]
        self.checks = checks

    def __call__(self, path: str) -> Any:
        address = urlsplit(path)
        match address.path.split("/"):
            case ["commits", commit]:
                return {"commit": {"tree": {"sha": self.trees[commit]}}}
            case ["commits", "merged", "pulls"]:
                return self.pulls
            case ["commits", commit, "check-runs"]:
                (name,) = parse_qs(address.query)["check_name"]
                return {"check_runs": [run for run in self.checks.get(commit, []) if run["name"] == name]}
        raise KeyError(path)


def test_the_checks_of_a_pull_request_count_for_the_same_files() -> None:
    assert checked_as(Repository(head=[PASSED]), "merged") == "head"


def test_those_of_the_commit_itself_count_too() -> None:
    within = PASSED | {"name": ALL_CHECKS[1]}
    assert checked_as(Repository(merged=[within]), "merged") == "merged"


@pytest.mark.parametrize(
    "run",
    [
        PASSED | {"conclusion": "failure"},
        PASSED | {"conclusion": "skipped"},
        PASSED | {"name": "tests"},
        PASSED | {"app": {"slug": "somebody"}},
    ],
    ids=["failed", "skipped", "another check", "another application"],
)
def test_nothing_else_counts(run: dict[str, Any]) -> None:
    assert checked_as(Repository(head=[run]), "merged") is None


def test_other_files_do_not_count() -> None:
    repository = Repository(head=[PASSED])
    repository.trees["head"] = "before something else was merged"
    assert checked_as(repository, "merged") is None


def test_a_pull_request_that_was_not_merged_does_not_count() -> None:
    repository = Repository(head=[PASSED])
    repository.pulls = [PULL | {"merged_at": None}]
    assert checked_as(repository, "merged") is None


def test_the_names_of_the_check_are_those_of_the_workflows() -> None:
    name = load("check")["jobs"]["passed"]["name"]
    assert (name, f"{load('deploy')['jobs']['check']['name']} / {name}") == ALL_CHECKS


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A GitHub API that answers nothing but the repository above; returns the tokens it got."""
    tokens: list[str] = []
    repository = Repository(head=[PASSED])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["Authorization"])
            body = json.dumps(repository(self.path.removeprefix("/repos/owner/it/"))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the library
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/it")
    monkeypatch.setenv("GITHUB_TOKEN", "of-the-workflow")
    yield tokens
    server.shutdown()
    server.server_close()


def test_the_answer_is_an_output_of_the_step(api: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    assert main("merged") == 0
    assert (tmp_path / "outputs").read_text() == "passed=true\n"
    assert set(api) == {"Bearer of-the-workflow"}


def test_without_an_answer_the_checks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: str) -> Any:
        raise OSError("503")

    monkeypatch.setattr(checked, "of_workflow", silent)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    assert main("merged") == 0
    assert (tmp_path / "outputs").read_text() == "passed=false\n"
