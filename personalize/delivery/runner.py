"""Whether a workflow can work on a stack: its identity, and the way there."""

from collections.abc import Mapping

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from personalize.delivery.stacks import IDENTITY

WORKFLOW = "GITHUB_ACTIONS"
"""GitHub sets it on every runner."""
CLIENT = "ARM_CLIENT_ID"


class RepositoryUnreadyError(PersonalizationError):
    """A workflow has no identity for the stack."""


class RunnerOutsideError(PersonalizationError):
    """A runner of GitHub's, which the stack does not let in."""


def require_repository(stack: str, settings: AzureSettings | None, environment: Mapping[str, str]) -> None:
    """Raise `RepositoryUnreadyError` in a workflow without an identity."""
    if settings is None or WORKFLOW not in environment:
        return
    if missing := [name for name in (*IDENTITY, CLIENT) if not environment.get(name)]:
        raise RepositoryUnreadyError(
            f"This job has no {', '.join(missing)}: {CLIENT} is a variable of the job's environment, the others are of "
            f"the repository. Run `.venv/bin/personalize bootstrap --stack {stack}` and the `gh` commands that it "
            "prints."
        )


def require_runner(stack: str, settings: AzureSettings | None, environment: Mapping[str, str]) -> None:
    """Raise `RunnerOutsideError` in a workflow on GitHub's own runner if the stack lets in only some addresses.

    GitHub's runners have changing ones. The workflows pass on the repository's variable `RUNNER`.
    """
    if settings is None or not settings.closed or environment.get("RUNNER") or WORKFLOW not in environment:
        return
    raise RunnerOutsideError(
        f"GitHub's own runners can't reach stack {stack}: `azure.network` is {settings.network}, "
        f"`authorized_ip_ranges` {_shown(settings.authorized_ip_ranges)}, `allowed_sources` "
        f"{_shown(settings.allowed_sources)}. Name a runner with an address in these ranges in the repository's "
        "variable `RUNNER` (docs/how-to/private-network.md), or open the ranges to `anywhere`."
    )


def _shown(ranges: str | tuple[str, ...]) -> str:
    return ranges if isinstance(ranges, str) else ", ".join(ranges)
