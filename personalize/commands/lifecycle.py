"""`up`, `preview` and `reset`: the life of a stack."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from personalize.commands.session import open_session
from personalize.engine.events import Change
from personalize.engine.outcome import OnStep, Outcome
from personalize.stack.on_azure import azure_of, require_packages
from personalize.stack.plan import SHOWN, harmless, lost_with, refuse_changes, refuse_data_loss, why_not_to_train
from personalize.stack.processes import reset_stack
from personalize.stack.session import StackSession
from personalize.terminal import options
from personalize.terminal.output import confirm, messages, print_json, tell, without_secrets
from personalize.terminal.progress import StepDisplay
from personalize.views.azure_plan import agree, azure_outcome, show_azure_outcome
from personalize.views.summary import show_summary

PLANNED = {"create": "new", "update": "changed", "replace": "replaced", "delete": "deleted"}
NOT_READ = "The data was not read: new files, or another meaning of its columns, would train a model too."
RefuseDataLoss = Annotated[
    bool, typer.Option("--refuse-data-loss", help="Plan first, and fail if that would delete data or models.")
]


def up(
    *,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read the resources' real state first, and repair what differs.")
    ] = False,
    replace_data: Annotated[
        bool,
        typer.Option(
            "--replace-data",
            help="On Azure, after a change of region, suffix or subscription: delete all of the stack first, data too.",
        ),
    ] = False,
    data_loss_refused: RefuseDataLoss = False,
    if_new_data: Annotated[
        bool,
        typer.Option(
            "--if-new-data", help="Plan first, and do nothing unless there is new data to train on and nothing else."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Check the subscription before the first `up` on Azure.")
    ] = True,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Bring a stack up: data, training, model registry, service.

    Run again, it updates only what has changed. The first `up` on Azure prints the price, checks the subscription and
    asks for confirmation.

    Example: .venv/bin/personalize up --stack dev
    """
    session = open_session(stack, config_file)
    if data_loss_refused or if_new_data:
        changes = shown_operation(session.preview, plan=True).resources
        if data_loss_refused:
            refuse_data_loss(changes)
        if if_new_data and (reason := why_not_to_train(changes)):
            _skip(reason, as_json=as_json)
            return
    _agree_on_azure(session, config_file, yes=yes, check=check)

    def update(on_step: OnStep) -> Outcome:
        return session.up(on_step, refresh=refresh, replace_data=replace_data)

    show_update(update, stack, config_file, as_json=as_json)


def _skip(reason: str, *, as_json: bool) -> None:
    """Say why nothing was done."""
    if as_json:
        print_json({"skipped": reason})
    else:
        tell(reason)


def _agree_on_azure(session: StackSession, config_file: Path | None, *, yes: bool, check: bool) -> None:
    """Ask before the first `up` on Azure; any other `up` needs no confirmation."""
    settings = azure_of(session.stack, config_file)
    if settings is None:
        return
    require_packages()
    if not session.exists():
        agree(session.stack, settings, config_file, yes=yes, check=check)


def show_update(
    update: Callable[[OnStep], Outcome], stack: str, config_file: Path | None = None, *, as_json: bool
) -> None:
    """Run an update, show its steps, and print its result."""
    outcome = shown_operation(update)
    if as_json:
        outputs = without_secrets(outcome.outputs, outcome.secret)
        print_json(summary_of(outcome) | {"outputs": outputs} | _on_azure(outcome, stack, config_file))
        return

    tell(f"\n{changes_in_words(outcome)}")
    show_summary(outcome.outputs, stack, config_file)
    if found := _on_azure(outcome, stack, config_file):
        show_azure_outcome(found["azure"])


def _on_azure(outcome: Outcome, stack: str, config_file: Path | None) -> dict[str, dict[str, object]]:
    if azure_of(stack, config_file) is None or "endpoint" not in outcome.outputs:
        return {}

    return {"azure": azure_outcome(stack, outcome.outputs)}


def preview(
    *,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read the resources' real state first, and plan to repair what differs.")
    ] = False,
    known_data: Annotated[
        bool, typer.Option("--known-data", help="Take data in containers as the last `up` listed it; do not read it.")
    ] = False,
    data_loss_refused: RefuseDataLoss = False,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Fail if something would change that is not harmless.")
    ] = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Show what `up` would change, and change nothing."""
    session = open_session(stack, config_file)

    def plan(on_step: OnStep) -> Outcome:
        return session.preview(on_step, refresh=refresh, known_data=known_data)

    outcome = shown_operation(plan, plan=True)
    if as_json:
        changes = [asdict(change) for change in outcome.resources]
        print_json(summary_of(outcome) | {"resources": changes, "data_read": outcome.data_read})
    else:
        for line in _planned(outcome):
            tell(line)
    if data_loss_refused:
        refuse_data_loss(outcome.resources)
    if expect_no_changes:
        refuse_changes(outcome.resources, stack)


def _planned(outcome: Outcome) -> Iterator[str]:
    """The lines of a plan: what would change, where it is known why, and how much stays."""
    for change in outcome.resources:
        yield f"{PLANNED[change.operation]:8}  {change.name} ({change.type}){_paths(change)}{_meaning(change)}"
    yield f"\n{changes_in_words(outcome)}"
    if not outcome.data_read:
        yield NOT_READ


def _paths(change: Change) -> str:
    more = ", ..." if len(change.properties) > SHOWN else ""
    return f": {', '.join(change.properties[:SHOWN])}{more}" if change.properties else ""


def _meaning(change: Change) -> str:
    lost, reason = lost_with(change), harmless(change)
    return f"; this deletes {lost}" if lost else f"; harmless: {reason}" if reason else ""


def reset(*, stack: options.Stack = "local", yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Delete a stack's folder without Pulumi, when its state or passphrase is lost.

    Stops the service first. Models and data copies go too.
    """
    confirm(
        f"Stop the service of stack {stack} on this machine, and delete the stack's folder with its models?", yes=yes
    )
    stopped, folder = reset_stack(stack)
    if as_json:
        print_json({"stopped": stopped, "deleted": folder})
    else:
        tell(f"Stopped {stopped} process(es) and deleted {folder}.")


def shown_operation(operate: Callable[[OnStep], Outcome], *, plan: bool = False) -> Outcome:
    """Run an operation of Pulumi's engine and show its steps."""
    with StepDisplay(messages, plan=plan).shown() as display:
        return operate(display)


def summary_of(outcome: Outcome) -> dict[str, object]:
    """The part of the JSON object that every operation has."""
    return {"changes": outcome.changes, "steps": outcome.steps, "seconds": round(outcome.seconds, 1)}


def changes_in_words(outcome: Outcome) -> str:
    """The number of resources created, updated and so on, and the seconds it took."""
    words = {"same": "unchanged", "create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}
    done = [f"{count} {words.get(kind, kind)}" for kind, count in sorted(outcome.changes.items()) if count]
    return f"{', '.join(done) or 'nothing to do'}, {outcome.seconds:.0f} s."
