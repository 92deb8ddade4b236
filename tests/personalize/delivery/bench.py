"""The tasks of the workflows, with scripted `personalize` commands."""

from typing import Any

from personalize.delivery.command import Ended
from personalize.delivery.github import GitHub
from personalize.delivery.tasks import Delivery
from personalize.terminal.output import ExitCode
from tests.personalize.delivery.conftest import Told, preview
from tests.personalize.delivery.github_server import AT_ONCE, REPOSITORY, TOKEN, GitHubServer

UP = Ended(
    code=0, content={"changes": {"same": 9, "update": 2}, "outputs": {"endpoint": "https://x", "model_version": 4}}
)
READY = Ended(code=0, content={"endpoint": "https://x", "service": {"ready": True}})


class Bench:
    """A delivery of stack `dev` that keeps its messages and the commands it called."""

    def __init__(self, hub: GitHubServer, *, pull_request: int | None = None, **answers: Ended) -> None:
        self.told = Told({"estimate": Ended(code=ExitCode.BAD_INPUT), "status": READY, "up": UP, **answers})
        self.said: list[str] = []
        event = {"pull_request": {"number": pull_request}} if pull_request else {}
        github = GitHub(api=hub.url, repository=REPOSITORY, token=TOKEN, event=event, retries=AT_ONCE)
        self.delivery = Delivery(stack="dev", run=self.told, github=github, say=self.said.append)

    @property
    def commands(self) -> list[str]:
        return [call[0] for call in self.told.calls]


def planned(*resources: dict[str, Any]) -> Ended:
    return Ended(code=0, content=preview(*resources))
