"""The part of GitHub that the workflows need: a comment on a pull request, and an issue for each problem."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from github import Auth, Github, GithubException, GithubRetry
from github.Issue import Issue
from github.Repository import Repository
from requests import RequestException

from features.errors import PersonalizationError

TIMEOUT_SECONDS = 30
PAGE = 100
RETRIES = GithubRetry(total=3, backoff_factor=1, allowed_methods={"GET", "PATCH"})
"""Only idempotent requests are retried: a second POST could open a second issue."""


class GitHubError(PersonalizationError):
    """GitHub refused a request."""


class NoIssuesError(GitHubError):
    """The repository has no issues, as every new fork."""


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """A repository, and the event that started the workflow."""

    api: str
    repository: str
    token: str = field(repr=False)
    event: Mapping[str, Any] = field(default_factory=dict)
    retries: GithubRetry = RETRIES

    @classmethod
    def of_workflow(cls) -> Self | None:
        """From GitHub's environment variables; None outside a workflow with a token."""
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
        """The number of the workflow's pull request."""
        number = self.event.get("pull_request", {}).get("number")
        return None if number is None else int(number)

    def labels(self, number: int) -> frozenset[str]:
        """The current labels of a pull request; the event may have older ones."""
        with self._asked() as repository:
            return frozenset(label.name for label in repository.get_issue(number).get_labels())

    def labels_of_commit(self, commit: str) -> frozenset[str]:
        """The labels of the merged pull requests with `commit`."""
        with self._asked() as repository:
            merged = [pull for pull in repository.get_commit(commit).get_pulls() if pull.merged_at]
            return frozenset(label.name for pull in merged for label in pull.labels)

    def comment(self, number: int, mark: str, body: str) -> None:
        """Comment `body` on a pull request, in place of an earlier comment with the same `mark`."""
        with self._asked() as repository:
            issue = repository.get_issue(number)
            own = next((comment for comment in issue.get_comments() if mark in (comment.body or "")), None)
            if own is None:
                issue.create_comment(body)
            else:
                own.edit(body)

    def open_issue(self, label: str, title: str, body: str) -> int:
        """Open an issue with this label and title, or update the open one. Returns its number."""
        with self._asked() as repository:
            issue = _issue(repository, label, title)
            if issue is None:
                return repository.create_issue(title, body, labels=[label]).number
            issue.edit(body=body)
            return issue.number

    def close_issue(self, label: str, title: str, reason: str) -> None:
        """Close the open issue with this label and title, if there is one, with a comment."""
        with self._asked() as repository:
            issue = _issue(repository, label, title)
            if issue is not None:
                issue.create_comment(reason)
                issue.edit(state="closed")

    @contextmanager
    def _asked(self) -> Iterator[Repository]:
        """The repository. Raises `GitHubError` for a failed request, `NoIssuesError` if its issues are turned off."""
        client = Github(
            base_url=self.api,
            auth=Auth.Token(self.token),
            retry=self.retries,
            timeout=TIMEOUT_SECONDS,
            per_page=PAGE,
            seconds_between_requests=None,  # a workflow makes few requests
            seconds_between_writes=None,
            lazy=True,
        )
        try:
            yield client.get_repo(self.repository)
        except (GithubException, RequestException) as error:
            if isinstance(error, GithubException) and error.status == HTTPStatus.GONE:
                raise NoIssuesError(
                    f"The issues of the repository {self.repository} are off, as in every new fork. Turn them on: "
                    f"`gh repo edit {self.repository} --enable-issues`."
                ) from error
            raise GitHubError(
                f"GitHub refused a request of the workflow: {error}. The workflow's token needs the `permissions` of "
                "its job."
            ) from error
        finally:
            client.close()


def _issue(repository: Repository, label: str, title: str) -> Issue | None:
    titled = (issue for issue in repository.get_issues(state="open", labels=[label]) if issue.title == title)
    return next((issue for issue in titled if issue.pull_request is None), None)
