"""`python3 -m personalize.delivery.checked COMMIT`: have the files of a commit passed the workflow `check` before?

If so, a deployment needs no second run. A workflow asks before anything is installed, and without a cache that another
job could have changed, so this keeps to the standard library. If GitHub does not answer, the answer is no.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

ALL_CHECKS = ("all checks", "check / all checks")
"""The name of the last job of the workflow `check`: by itself, and as a part of `deploy`."""
ACTIONS = "github-actions"
"""GitHub Actions among the applications that can report a check."""
TIMEOUT_SECONDS = 30
Get = Callable[[str], Any]
"""Takes a path below the repository, and returns the JSON that GitHub answers with."""


def checked_as(get: Get, commit: str) -> str | None:
    """The commit whose checks count for `commit`; None if there is none.

    It is the commit itself, or the head of a merged pull request that brought it, if both have the same files. They
    are the same unless something else was merged in between. Checks are files too, so changed checks run again.
    """
    files = _tree(get, commit)
    heads = [pull["head"]["sha"] for pull in get(f"commits/{commit}/pulls") if pull["merged_at"]]
    return next((head for head in (commit, *heads) if _tree(get, head) == files and _passed(get, head)), None)


def _tree(get: Get, commit: str) -> str:
    """The hash of all files of a commit."""
    return str(get(f"commits/{commit}")["commit"]["tree"]["sha"])


def _passed(get: Get, commit: str) -> bool:
    runs = [
        run
        for name in ALL_CHECKS
        for run in get(f"commits/{commit}/check-runs?status=completed&check_name={quote(name)}")["check_runs"]
    ]
    return any(run["conclusion"] == "success" and run["app"]["slug"] == ACTIONS for run in runs)


def of_workflow(path: str) -> Any:  # noqa: ANN401 - any JSON
    """GitHub's answer to a workflow. Raises `OSError`, or `ValueError` if it is not JSON."""
    api, repository = os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"]
    headers = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}", "Accept": "application/vnd.github+json"}
    request = Request(f"{api}/repos/{repository}/{path}", headers=headers)  # noqa: S310 - GitHub's own address
    with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - see above
        return json.load(answer)


def main(commit: str) -> int:
    """Print the answer, and set the output `passed` of the job's step; returns the exit status."""
    try:
        found = checked_as(of_workflow, commit)
    except (OSError, ValueError, KeyError) as error:
        sys.stdout.write(f"::warning::GitHub does not say whether these files were checked before: {error}\n")
        found = None
    sys.stdout.write(f"checked before, as commit {found}\n" if found else "these files were not checked before\n")
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(f"passed={'true' if found else 'false'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
