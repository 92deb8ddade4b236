"""`bootstrap`: what a subscription needs once, before the first stack."""

from typing import Annotated, Any

import typer

from azure_clients import credentials
from personalize.bootstrap.subscription import Bootstrap
from personalize.stack.on_azure import require_azure
from personalize.terminal import options
from personalize.terminal.output import confirm, print_json, results, say


def bootstrap(
    *,
    stack: options.Stack = "dev",
    config_file: options.SettingsFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made.")] = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Prepare a subscription, once: state store, resource providers, and identities for GitHub's workflows.

    What is there stays as it is. Who runs it must be the subscription's owner.
    """
    settings = require_azure(stack, config_file)

    made = Bootstrap(stack=stack, settings=settings, manager=credentials.resource_manager(settings.tenant), say=say)
    if not dry_run:
        confirm(
            f"Make the state store for subscription {settings.subscription}? It costs under 1 USD a month.", yes=yes
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
    results.print(", ".join(f"{count} {state}" for state, count in counts.items()) + ".", markup=False)
    if dry_run:
        return
    results.print(f"\nIn Pulumi.{made.stack}.yaml, under `personalization:azure`:\n", markup=False)
    results.print("    state: subscription", markup=False)
    if deployer := found["deployer"]:
        results.print("    deployers: # one more:", markup=False)
        results.print(f"      - {{{', '.join(f'{name}: {value}' for name, value in deployer.items())}}}", markup=False)
    if made.settings.github_repository is None:
        results.print("\nNo workflow may deploy: `azure.github_repository` names no repository.", markup=False)
        return
    repository = made.settings.github_repository
    results.print(f"\nIn the repository {repository}, none of it secret:\n", markup=False)
    for environment, variables in found["variables"].items():
        place = ""
        if environment:
            place = f" --env {environment}"
            results.print(f"  gh api -X PUT repos/{repository}/environments/{environment}", markup=False)
        for name, value in variables.items():
            results.print(f"  gh variable set {name} --repo {repository}{place} --body {value}", markup=False)
    results.print(
        f"\nLet somebody approve what uses the environment {made.stack}, and no branch but main use "
        f"{made.stack}-nightly (Settings, Environments).",
        markup=False,
    )
