"""A local server with the part of GitHub's REST API that the workflows use: labels, comments and issues, one per page.

Written by hand from GitHub's documentation, without recorded answers.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from personalize.delivery.github import RETRIES

REPOSITORY = "owner/personalization"
AT_ONCE = RETRIES.new(backoff_factor=0)
TOKEN = "token-of-the-workflow"  # noqa: S105 - of nothing but a test's own server


@dataclass
class GitHubServer:
    """The repository's content, and all requests received."""

    url: str = ""
    labels: dict[int, list[str]] = field(default_factory=dict)
    """Labels of pull requests, by number."""
    pulls_of_commits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    """Status codes for the next answers; normal answers follow."""
    fail_writing: bool = False
    has_issues: bool = True
    """Whether they are turned on; a pull request's comments and labels exist either way."""
    requests: list[tuple[str, str]] = field(default_factory=list)

    def answer(  # noqa: PLR0911 - one for each address
        self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]
    ) -> Any:
        """The answer's body; None for an unknown address."""
        match [method, *path.removeprefix(f"/repos/{REPOSITORY}/").split("/")]:
            case ["GET", "issues", number, "labels"]:
                return [{"name": name} for name in self.labels.get(int(number), [])]
            case ["GET", "commits", commit, "pulls"]:
                return self.pulls_of_commits.get(commit, [])
            case ["GET", "issues", number, "comments"]:
                return [one for one in self.comments if one["on"] == int(number)]
            case ["POST", "issues", number, "comments"]:
                own = 100 + len(self.comments)
                return _added(self.comments, {"id": own, "url": self._at(f"comments/{own}"), "on": int(number), **body})
            case ["PATCH", "issues", "comments", number]:
                return _changed(next(one for one in self.comments if one["id"] == int(number)), body)
            case ["GET", "issues"]:
                return [one for one in self.issues if self._is_wanted(one, query)]
            case ["POST", "issues"]:
                own = 1 + len(self.issues)
                return _added(self.issues, {"number": own, "url": self._at(str(own)), "state": "open", **body})
            case ["GET", "issues", number]:
                return next(one for one in self.issues if one["number"] == int(number))
            case ["PATCH", "issues", number]:
                return _changed(next(one for one in self.issues if one["number"] == int(number)), body)
            case _:
                return None

    def _at(self, issue: str) -> str:
        return f"{self.url}/repos/{REPOSITORY}/issues/{issue}"

    @staticmethod
    def _is_wanted(issue: dict[str, Any], query: dict[str, list[str]]) -> bool:
        return issue["state"] == query["state"][0] and query["labels"][0] in issue["labels"]


def _added(to: list[dict[str, Any]], one: dict[str, Any]) -> dict[str, Any]:
    to.append(one)
    return one


def _changed(one: dict[str, Any], by: dict[str, Any]) -> dict[str, Any]:
    one.update(by)
    return one


class Handler(BaseHTTPRequestHandler):
    """Answers with the content of `hub`, or with the failures that a test has set."""

    hub: GitHubServer

    def _handle(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        self.hub.requests.append((self.command, re.sub(rf"^/repos/{REPOSITORY}/", "", address.path)))
        if self.hub.fail_writing and self.command == "POST":
            self._send(500, {}, {})
        elif self.hub.failures:
            self._send(self.hub.failures.pop(0), {}, {})
        elif self.headers.get("Authorization") != f"token {TOKEN}":
            self._send(401, {}, {})
        elif not self.hub.has_issues and address.path.endswith("/issues"):
            self._send(410, {"message": "Issues are disabled for this repo"}, {})
        elif (found := self.hub.answer(self.command, address.path, query, body)) is None:
            self._send(404, {}, {})
        elif isinstance(found, list):
            page = int(query.get("page", ["1"])[-1])  # the next page's address repeats this `page`: the last one counts
            following = f'<{self.hub.url}{address.path}?{address.query}&page={page + 1}>; rel="next"'
            self._send(200, found[page - 1 : page], {"Link": following} if page < len(found) else {})
        else:
            self._send(201 if self.command == "POST" else 200, found, {})

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - the names that http.server calls

    def _send(self, status: int, content: Any, headers: dict[str, str]) -> None:
        sent = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(sent))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the library
        del format, args


@contextmanager
def serving() -> Iterator[GitHubServer]:
    """Serve until the block ends."""
    hub = GitHubServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
