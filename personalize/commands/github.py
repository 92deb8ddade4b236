"""`bootstrap`: prepares a subscription and a GitHub repository, once, before the first stack."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from azure_clients import credentials
from azure_clients.errors import ManagerRefusedError
from features.errors import PersonalizationError
from personalize.bootstrap.rights import reader_commands
from personalize.bootstrap.subscription import Bootstrap
from personalize.stack.on_azure import require_azure, settings_of, stacks_of_repository
from personalize.stack.refusals import mended
from personalize.terminal import Json, Stack, Yes, confirm, print_json, say, tell
from steps.datasets import located


def bootstrap(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be created, and create nothing.")] = False,
    stack: Stack = "dev",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Prepare a subscription for a stack: providers, state backend, groups, budget, rights, GitHub's OIDC identities.

    Run it once as the subscription's owner. What exists already stays unchanged.
    """
    settings = require_azure(stack)

    made = Bootstrap(stack=stack, settings=settings, manager=credentials.resource_manager(settings.tenant), say=say)
    if not dry_run:
        confirm(
            f"Create the state backend in subscription {settings.subscription}, and the resource groups of stack "
            f"{stack} with the deployers' rights? It costs under 1 USD a month.",
            yes=yes,
        )
    try:
        items = made.run(dry_run=dry_run)
    except ManagerRefusedError as error:
        if (advice := mended(f"{error.code} {error}")) is None:
            raise
        raise PersonalizationError(f"{error} {advice}") from error
    from training.datasets.placed.dataset import addresses  # noqa: PLC0415 - takes long, and no other command needs it

    places = [*addresses(located(settings_of(stack).dataset)).values()]
    found: dict[str, Any] = {
        "items": items,
        "variables": made.variables(),
        "deployer": made.deployer(),
        "data_readers": reader_commands(places, made.readers()) if places and not dry_run else [],
    }
    if as_json:
        print_json(found)
    else:
        _show(found, made, dry_run=dry_run)


def _show(found: dict[str, Any], made: Bootstrap, *, dry_run: bool) -> None:
    counts = Counter(found["items"].values())
    tell(", ".join(f"{count} {state}" for state, count in counts.items()) + ".")
    if dry_run:
        return
    if deployer := found["deployer"]:
        tell(f"\nIn Pulumi.{made.stack}.yaml, under `personalization:azure`:\n")
        tell("    deployers: # one more:")
        tell(f"      - {{{', '.join(f'{name}: {value}' for name, value in deployer.items())}}}")
    if commands_for_owner := found["data_readers"]:
        tell("\nThe data is in a container. Whoever owns it runs, in the account's subscription:\n")
        for command in commands_for_owner:
            tell(f"  {command}")
        tell("\nTraining's identity exists after the first `up`: run `bootstrap` again then.")
    if made.settings.github_repository is None:
        tell("\nNo workflow may deploy, because `azure.github_repository` is not set.")
        return
    repository = made.settings.github_repository
    tell(f"\nRun for the repository {repository}; nothing here is secret:\n")
    stacks = stacks_of_repository(repository, made.stack, made.settings)
    for command in commands(repository, found["variables"], stacks):
        tell(f"  {shlex.join(command)}")
    tell(f"\nThen, in Settings, Environments: name the people who approve deployments to {made.stack}.")


PREVIEW = "-preview"
MAIN = "main"
LABEL = "replaces-data"
"""The label of a pull request that allows deleting data."""


def commands(
    repository: str, variables: Mapping[str, Mapping[str, str]], stacks: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    """The commands, each as its words. `variables` are by environment, the empty name standing for the repository."""
    yield "gh", "repo", "edit", repository, "--enable-issues"  # a new fork has none
    yield "gh", "label", "create", LABEL, "--repo", repository, "--force", "--description", "May delete stored data"
    for environment, own in variables.items():
        place: tuple[str, ...] = ()
        if environment:
            place = ("--env", environment)
            deploys = environment in stacks or not environment.endswith(PREVIEW)
            yield from _environment(f"repos/{repository}/environments/{environment}", deploys=deploys)
        for name, value in own.items():
            yield "gh", "variable", "set", name, "--repo", repository, *place, "--body", value
    yield "gh", "variable", "set", "STACKS", "--repo", repository, "--body", json.dumps(list(stacks))
    yield "gh", "workflow", "enable", "nightly.yml", "--repo", repository  # GitHub disables schedules in a fork


def _environment(path: str, *, deploys: bool) -> Iterator[tuple[str, ...]]:
    """Create an environment, for the main branch alone if its identity deploys: others hold code nobody has reviewed.

    See "Deployment branches and tags" on GitHub's page "Managing environments for deployment".
    """
    if not deploys:
        yield "gh", "api", "-X", "PUT", path
        return
    policy = "deployment_branch_policy"
    rule = ("-F", f"{policy}[protected_branches]=false", "-F", f"{policy}[custom_branch_policies]=true")
    yield "gh", "api", "-X", "PUT", path, *rule
    yield "gh", "api", "-X", "POST", f"{path}/deployment-branch-policies", "-f", f"name={MAIN}"
