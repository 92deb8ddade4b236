"""`up`, `preview` and `reset`: the life of a stack."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from personalize.commands.session import open_session
from personalize.engine.outcome import OnStep, Outcome
from personalize.stack.on_azure import azure_of, require_packages
from personalize.stack.processes import reset_stack
from personalize.stack.session import StackSession
from personalize.terminal import options
from personalize.terminal.output import confirm, messages, print_json, results, without_secrets
from personalize.terminal.progress import StepDisplay
from personalize.views.azure_plan import agree, azure_outcome, show_azure_outcome
from personalize.views.summary import show_summary


def up(
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Look first at what is really there, and mend what is gone.")
    ] = False,
    replace_data: Annotated[
        bool,
        typer.Option(
            "--replace-data",
            help="On Azure: when region, suffix or subscription has changed, delete all of the stack first, data too.",
        ),
    ] = False,
    as_json: options.Json = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Check the subscription before the first `up` on Azure.")
    ] = True,
    yes: options.Yes = False,
) -> None:
    """Bring everything up: data, training, registry, service. Run again, it redoes only what has changed.

    On Azure, the first run says what the stack costs, checks the subscription, and asks before it begins.
    """
    session = open_session(stack, config_file)
    _agree_on_azure(session, config_file, yes=yes, check=check)

    def update(on_step: OnStep) -> Outcome:
        return session.up(on_step, refresh=refresh, replace_data=replace_data)

    show_update(update, stack, config_file, as_json=as_json)


def _agree_on_azure(session: StackSession, config_file: Path | None, *, yes: bool, check: bool) -> None:
    """Before anything is spent; a stack on this machine costs nothing, and one that is up was agreed on."""
    settings = azure_of(session.stack, config_file)
    if settings is None:
        return
    require_packages()
    if not session.exists():
        agree(session.stack, settings, config_file, yes=yes, check=check)


def show_update(
    update: Callable[[OnStep], Outcome], stack: str, config_file: Path | None = None, *, as_json: bool
) -> None:
    """Run an update, its steps shown, and print what came of it."""
    outcome = shown_operation(update)
    if as_json:
        outputs = without_secrets(outcome.outputs, outcome.secret)
        print_json(summary_of(outcome) | {"outputs": outputs} | _on_azure(outcome, stack, config_file))
        return

    results.print(f"\n{changes_in_words(outcome)}", markup=False)
    show_summary(outcome.outputs, stack)
    if found := _on_azure(outcome, stack, config_file):
        show_azure_outcome(found["azure"])


def _on_azure(outcome: Outcome, stack: str, config_file: Path | None) -> dict[str, dict[str, object]]:
    if azure_of(stack, config_file) is None or "endpoint" not in outcome.outputs:
        return {}

    return {"azure": azure_outcome(stack, outcome.outputs)}


def preview(
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Look first at what is really there, and plan to mend what differs.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show what `up` would do, without doing it."""
    session = open_session(stack, config_file)
    outcome = shown_operation(lambda on_step: session.preview(on_step, refresh=refresh), plan=True)
    if as_json:
        print_json(summary_of(outcome) | {"resources": [asdict(change) for change in outcome.resources]})
    else:
        results.print(f"\n{changes_in_words(outcome)}", markup=False)


def reset(*, stack: options.Stack = "local", yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Start afresh without Pulumi, when the state or its passphrase is lost: stop the service, delete the folder."""
    confirm(f"Stop what runs for stack {stack} on this machine and delete its folder, models too?", yes=yes)
    stopped, folder = reset_stack(stack)
    if as_json:
        print_json({"stopped": stopped, "deleted": folder})
    else:
        results.print(f"Stopped {stopped} process(es) and deleted {folder}.", markup=False)


def shown_operation(operate: Callable[[OnStep], Outcome], *, plan: bool = False) -> Outcome:
    """Run an operation of the engine with its steps on the screen."""
    with StepDisplay(messages, plan=plan).shown() as display:
        return operate(display)


def summary_of(outcome: Outcome) -> dict[str, object]:
    """What every operation's JSON has."""
    return {"changes": outcome.changes, "steps": outcome.steps, "seconds": round(outcome.seconds, 1)}


def changes_in_words(outcome: Outcome) -> str:
    """How many resources were created, updated and so on, and how long it took."""
    words = {"same": "unchanged", "create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}
    done = [f"{count} {words.get(kind, kind)}" for kind, count in sorted(outcome.changes.items()) if count]
    return f"{', '.join(done) or 'nothing to do'}, {outcome.seconds:.0f} s."
