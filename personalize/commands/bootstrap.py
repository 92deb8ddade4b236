"""`bootstrap`: prepares a subscription, once, before its first stack."""

import shlex
from typing import Annotated, Any

import typer

from azure_clients import credentials
from personalize.bootstrap.subscription import Bootstrap
from personalize.delivery.repository import commands, stacks_of
from personalize.stack.on_azure import require_azure
from personalize.stack.stack_files import StackFiles
from personalize.stack.state_move import resources_on_machine
from personalize.terminal import options
from personalize.terminal.output import confirm, print_json, say, tell


def bootstrap(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be created, and create nothing.")] = False,
    stack: options.Stack = "dev",
    config_file: options.SettingsFile = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Prepare a subscription for a stack: providers, state backend, groups, budget, rights, GitHub's OIDC identities.

    Run it once as the subscription's owner. What exists already stays unchanged.
    """
    settings = require_azure(stack, config_file)

    made = Bootstrap(stack=stack, settings=settings, manager=credentials.resource_manager(settings.tenant), say=say)
    if not dry_run:
        confirm(
            f"Create the state backend in subscription {settings.subscription}, and the resource groups of stack "
            f"{stack} with the deployers' rights? It costs under 1 USD a month.",
            yes=yes,
        )
    items = made.run(dry_run=dry_run)
    found: dict[str, Any] = {"items": items, "variables": made.variables(), "deployer": made.deployer()}
    if as_json:
        print_json(found)
    else:
        _show(found, made, dry_run=dry_run)


def _show(found: dict[str, Any], made: Bootstrap, *, dry_run: bool) -> None:
    counts: dict[str, int] = {}
    for state in found["items"].values():
        counts[state] = counts.get(state, 0) + 1
    tell(", ".join(f"{count} {state}" for state, count in counts.items()) + ".")
    if dry_run:
        return
    tell(f"\nIn Pulumi.{made.stack}.yaml, under `personalization:azure`:\n")
    tell("    state: subscription")
    if resources_on_machine(StackFiles(made.stack)):
        moving = f"`.venv/bin/personalize move-state --stack {made.stack}`"
        tell(f"    # Then {moving}: the stack's state is on this machine.")
    if deployer := found["deployer"]:
        tell("    deployers: # one more:")
        tell(f"      - {{{', '.join(f'{name}: {value}' for name, value in deployer.items())}}}")
    if made.settings.github_repository is None:
        tell("\nNo workflow may deploy, because `azure.github_repository` is not set.")
        return
    repository = made.settings.github_repository
    tell(f"\nRun for the repository {repository}; nothing here is secret:\n")
    stacks = stacks_of(repository, made.stack, made.settings)
    for command in commands(repository, found["variables"], stacks):
        tell(f"  {shlex.join(command)}")
    tell(f"\nThen, in Settings, Environments: name the people who approve deployments to {made.stack}.")
