"""GitHub's REST API as far as the workflows need it: one comment on a pull request, one issue for each trouble."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from tenacity.wait import wait_base

from features.errors import PersonalizationError

VERSION = "2022-11-28"
TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4
PAGE = 100


class GitHubError(PersonalizationError):
    """GitHub did not do what it was asked for."""


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """One repository, and the event that started the workflow."""

    api: str
    repository: str
    token: str = field(repr=False)
    event: Mapping[str, Any] = field(default_factory=dict)
    wait: wait_base = field(default_factory=lambda: wait_random_exponential(multiplier=1, max=20))

    @classmethod
    def of_workflow(cls) -> Self | None:
        """From the variables that GitHub sets; None outside of a workflow that was given its token."""
        token, repository = os.environ.get("GITHUB_TOKEN"), os.environ.get("GITHUB_REPOSITORY")
        if not token or not repository:
            return None
        file = os.environ.get("GITHUB_EVENT_PATH")
        return cls(
            api=os.environ.get("GITHUB_API_URL", "https://api.github.com"),
            repository=repository,
            token=token,
            event=json.loads(Path(file).read_text(encoding="utf-8")) if file else {},
        )

    @property
    def pull_request(self) -> int | None:
        """The number of the pull request that the workflow runs for."""
        number = self.event.get("pull_request", {}).get("number")
        return None if number is None else int(number)

    def labels(self, number: int) -> frozenset[str]:
        """The labels that a pull request has now; the event has those of the moment when it was sent."""
        return frozenset(label["name"] for label in self._pages(f"issues/{number}/labels"))

    def labels_of_commit(self, commit: str) -> frozenset[str]:
        """The labels of the merged pull requests that brought `commit`."""
        merged = (one for one in self._pages(f"commits/{commit}/pulls") if one.get("merged_at"))
        return frozenset(label["name"] for one in merged for label in one["labels"])

    def comment(self, number: int, mark: str, body: str) -> None:
        """Put `body` on a pull request; a comment with the same `mark` is replaced, so that there is one."""
        for one in self._pages(f"issues/{number}/comments"):
            if mark in (one.get("body") or ""):
                self._send("PATCH", f"issues/comments/{one['id']}", {"body": body})
                return
        self._send("POST", f"issues/{number}/comments", {"body": body})

    def open_issue(self, label: str, title: str, body: str) -> int:
        """The number of the open issue of this label and title, which says `body` from now on."""
        number = self._issue(label, title)
        if number is not None:
            self._send("PATCH", f"issues/{number}", {"body": body})
            return number
        return int(self._send("POST", "issues", {"title": title, "body": body, "labels": [label]})["number"])

    def close_issue(self, label: str, title: str, reason: str) -> None:
        """Close the issue of this label and title, if there is one, with a last comment."""
        number = self._issue(label, title)
        if number is not None:
            self._send("POST", f"issues/{number}/comments", {"body": reason})
            self._send("PATCH", f"issues/{number}", {"state": "closed"})

    def _issue(self, label: str, title: str) -> int | None:
        for one in self._pages("issues", state="open", labels=label):
            if one["title"] == title and "pull_request" not in one:
                return int(one["number"])
        return None

    def _pages(self, path: str, **parameters: str) -> Iterator[dict[str, Any]]:
        link: str | None = str(httpx.URL(self._address(path), params={**parameters, "per_page": PAGE}))
        while link:
            answer = self._request("GET", link)
            yield from answer.json()
            link = answer.links.get("next", {}).get("url")

    def _send(self, method: str, path: str, body: object) -> dict[str, Any]:
        found: dict[str, Any] = self._request(method, self._address(path), body).json()
        return found

    def _address(self, path: str) -> str:
        return f"{self.api}/repos/{self.repository}/{path}"

    def _request(self, method: str, address: str, body: object = None) -> httpx.Response:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": VERSION,
        }
        # A second POST could make a second issue: only what is the same when done twice is tried again.
        attempts = Retrying(
            stop=stop_after_attempt(1 if method == "POST" else ATTEMPTS),
            wait=self.wait,
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )
        try:
            return attempts(
                lambda: httpx.request(
                    method, address, json=body, headers=headers, timeout=TIMEOUT_SECONDS
                ).raise_for_status()
            )
        except httpx.HTTPError as error:
            raise GitHubError(
                f"GitHub did not take `{method} {httpx.URL(address).path}`: {_said(error)}. The workflow's token needs "
                "the `permissions` that its job names."
            ) from error


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == httpx.codes.TOO_MANY_REQUESTS or error.response.is_server_error
    return isinstance(error, httpx.TransportError)


def _said(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"it answered with HTTP status {error.response.status_code}"
    return f"{type(error).__name__}: {error}"
