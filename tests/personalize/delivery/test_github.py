"""The GitHub client: pages, a single comment and issue, and retries of safe requests only."""

import json
from pathlib import Path

import pytest

from personalize.delivery.github import GitHub, GitHubError, NoIssuesError
from tests.personalize.delivery.github_server import AT_ONCE, REPOSITORY, TOKEN, GitHubServer


@pytest.fixture
def github(hub: GitHubServer) -> GitHub:
    return GitHub(api=hub.url, repository=REPOSITORY, token=TOKEN, retries=AT_ONCE)


def test_labels_are_read_over_pages(hub: GitHubServer, github: GitHub) -> None:
    hub.labels[7] = ["bug", "replaces-data", "docs"]
    assert github.labels(7) == {"bug", "replaces-data", "docs"}
    assert len(hub.requests) == 3


def test_the_labels_of_a_commit_are_those_of_its_merged_pull_requests(hub: GitHubServer, github: GitHub) -> None:
    hub.pulls_of_commits["abc"] = [
        {"merged_at": "2026-11-25T00:00:00Z", "labels": [{"name": "one"}]},
        {"merged_at": None, "labels": [{"name": "two"}]},
    ]
    assert github.labels_of_commit("abc") == {"one"}


def test_a_second_comment_replaces_the_first(hub: GitHubServer, github: GitHub) -> None:
    hub.comments.append({"id": 1, "on": 7, "body": "somebody else's"})
    github.comment(7, "<!-- plan -->", "<!-- plan --> first")
    github.comment(7, "<!-- plan -->", "<!-- plan --> second")
    github.comment(8, "<!-- plan -->", "<!-- plan --> elsewhere")
    assert [(one["on"], one["body"]) for one in hub.comments] == [
        (7, "somebody else's"),
        (7, "<!-- plan --> second"),
        (8, "<!-- plan --> elsewhere"),
    ]


def test_one_trouble_is_one_issue_until_it_is_closed(hub: GitHubServer, github: GitHub) -> None:
    first = github.open_issue("drift", "Stack dev differs", "a")
    assert github.open_issue("drift", "Stack prod differs", "b") != first
    assert github.open_issue("drift", "Stack dev differs", "c") == first
    github.close_issue("drift", "Stack dev differs", "It is gone.")
    github.close_issue("drift", "Stack dev differs", "It is gone.")
    assert github.open_issue("drift", "Stack dev differs", "d") != first
    assert [(one["title"][6:10], one["state"], one["body"]) for one in hub.issues] == [
        ("dev ", "closed", "c"),
        ("prod", "open", "b"),
        ("dev ", "open", "d"),
    ]
    assert [one["body"] for one in hub.comments] == ["It is gone."]


def test_a_pull_request_is_no_issue(hub: GitHubServer, github: GitHub) -> None:
    hub.issues.append({"number": 1, "state": "open", "labels": ["drift"], "title": "t", "pull_request": {"url": "u"}})
    assert github.open_issue("drift", "t", "b") == 2


def test_reading_is_tried_again(hub: GitHubServer, github: GitHub) -> None:
    hub.failures = [500, 503]
    hub.labels[1] = ["a"]
    assert github.labels(1) == {"a"}


def test_making_an_issue_is_not_tried_again(hub: GitHubServer, github: GitHub) -> None:
    hub.fail_writing = True
    with pytest.raises(GitHubError, match="500"):
        github.open_issue("drift", "Stack dev differs", "a")
    assert [method for method, _ in hub.requests] == ["GET", "POST"]


def test_a_refused_token_is_an_error_that_names_the_permissions(hub: GitHubServer) -> None:
    stranger = GitHub(api=hub.url, repository=REPOSITORY, token="wrong", retries=AT_ONCE)  # noqa: S106 - a wrong one
    with pytest.raises(GitHubError, match=r"401.*permissions"):
        stranger.labels(1)
    assert len(hub.requests) == 1


def test_a_repository_without_issues_is_an_error_that_says_how_to_turn_them_on(
    hub: GitHubServer, github: GitHub
) -> None:
    hub.has_issues = False
    with pytest.raises(NoIssuesError, match=f"gh repo edit {REPOSITORY} --enable-issues") as refused:
        github.open_issue("drift", "Stack dev differs", "a")
    assert "permissions" not in str(refused.value)
    hub.labels[7] = ["bug"]
    assert github.labels(7) == {"bug"}


def test_the_workflow_s_variables_say_where_and_for_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 12}}))
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    monkeypatch.setenv("GITHUB_API_URL", "https://github.example.com/api/v3")
    found = GitHub.of_workflow()
    assert found is not None
    assert (found.api, found.repository, found.pull_request) == ("https://github.example.com/api/v3", REPOSITORY, 12)
    assert TOKEN not in repr(found)


def test_outside_of_a_workflow_there_is_no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    assert GitHub.of_workflow() is None
