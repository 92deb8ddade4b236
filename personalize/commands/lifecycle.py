"""`up`, `preview` and `reset`: the life of a stack, what is agreed before the first `up` on Azure, and its result."""

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cost.estimate import bill
from infra.cost.prices import PriceUnknownError
from personalize.commands.figures import metrics_table, recommender_table, shown_path
from personalize.commands.operations import diagnose_stack, show_findings
from personalize.commands.progress import StepDisplay
from personalize.errors import StackMissingError
from personalize.stack.events import OnStep, Outcome
from personalize.stack.on_azure import azure_of, require_packages
from personalize.stack.plan import SHOWN, harmless, lost_with, refuse_changes, refuse_data_loss, why_not_to_train
from personalize.stack.service import trusted_certificate
from personalize.stack.session import StackSession
from personalize.stack.stack_files import StackFiles
from personalize.stack.state_store import clear_stale
from personalize.terminal import (
    Json,
    Stack,
    Yes,
    confirm,
    messages,
    print_json,
    results,
    say,
    tell,
)
from recommend.forgotten import Forgotten
from recommend.histories import FILE as HISTORIES
from recommend.histories import a_user
from recommend.stored import SnapshotError
from steps.child import end_orphan
from steps.folders import StackFolder
from steps.service_processes import ServiceProcesses
from tools.paths import state_folder

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
    stack: Stack = "local",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Bring a stack up: data, training, model registry, service.

    Run again, it updates only what has changed. The first `up` on Azure prints the price, checks the subscription and
    asks for confirmation.

    Example: .venv/bin/personalize up --stack dev
    """
    session = StackSession(stack)
    if data_loss_refused or if_new_data:
        changes = shown_operation(session.preview, plan=True).resources
        if data_loss_refused:
            refuse_data_loss(changes)
        if if_new_data and (reason := why_not_to_train(changes)):
            (print_json({"skipped": reason}) if as_json else tell(reason))
            return
    settings = azure_of(stack)
    if settings is not None:
        require_packages()
        if not session.exists():
            agree(stack, settings, yes=yes, check=check)

    show_update(lambda on_step: session.up(on_step, refresh=refresh), stack, as_json=as_json)


def show_update(update: Callable[[OnStep], Outcome], stack: str, *, as_json: bool) -> None:
    """Run an update, show its steps, and print its result."""
    outcome = shown_operation(update)
    if as_json:
        shown = {name: "[secret]" if name in outcome.secret else value for name, value in outcome.outputs.items()}
        print_json(summary_of(outcome) | {"outputs": shown})
        return
    tell(f"\n{changes_in_words(outcome)}")
    show_summary(outcome.outputs, stack)


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
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Show what `up` would change, and change nothing."""
    session = StackSession(stack)

    outcome = shown_operation(
        lambda on_step: session.preview(on_step, refresh=refresh, known_data=known_data), plan=True
    )
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
        paths = [*change.properties[:SHOWN], *(["..."] if len(change.properties) > SHOWN else [])]
        lost, reason = lost_with(change), harmless(change)
        meaning = f"; this deletes {lost}" if lost else f"; harmless: {reason}" if reason else ""
        named = f"{change.name} ({change.type}){': ' if paths else ''}{', '.join(paths)}"
        yield f"{PLANNED[change.operation]:8}  {named}{meaning}"
    yield f"\n{changes_in_words(outcome)}"
    if not outcome.data_read:
        yield NOT_READ


def reset(*, stack: Stack = "local", yes: Yes = False, as_json: Json = False) -> None:
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


def reset_stack(stack: str) -> tuple[int, Path]:
    """Stop the stack's service and training, and delete its folder. Returns the number of the service's processes, and
    the folder.

    Raises `StackMissingError` if there is no folder, `StackBusyError` during an update of the stack.
    """
    session = StackSession(stack)
    folder = session.files.folder
    if not folder.is_dir():
        raise StackMissingError(f"There is nothing to reset: {folder} does not exist.")
    with session.alone():
        clear_stale(session.files.state, stack, say)
        service = ServiceProcesses(StackFolder(folder))
        processes = service.all()
        service.end(processes)
        for run in StackFolder(folder).runs.glob("*/"):
            end_orphan(run)
        session.files.delete()
    return len(processes), folder


DAILY = "with 30 trainings of an hour, estimated"
LINKS = {"image_digest": "image", "run": "training run", "databricks": "Databricks", "machine_learning": "Azure ML"}
"""The outputs of a stack on Azure that a person may look up, and their names."""


def announcement(stack: str, settings: AzureSettings) -> str:
    """What `up` creates, and its monthly price."""
    try:
        costs = bill(stack, settings)
        always, training = costs.total("always_on"), costs.total("training")
        price = (
            f"About {always.likely:,.0f} USD a month ({always.low:,.0f} to {always.high:,.0f}) while it is up, and "
            f"{training.likely / int(costs.scenario.trainings):,.2f} for each hour's training; prices of "
            f"{costs.prices.as_of}, most of them unverified. `.venv/bin/personalize estimate --stack {stack}` shows "
            "the nodes and each line."
        )
    except PriceUnknownError as error:
        price = f"Its price is unknown: {error}"
    return (
        f"Stack {stack} will be created in subscription {settings.subscription}, region {settings.location}: a data "
        "lake, Azure ML's registry of models, a container registry, a Key Vault, a Databricks workspace for training, "
        "a Kubernetes cluster with a public address for the service, logs, alerts and a budget.\n"
        f"{price}"
    )


def agree(stack: str, settings: AzureSettings, *, yes: bool, check: bool) -> None:
    """Before a stack's first `up`: print its price, check the subscription, and ask.

    Raises `PersonalizationError` if the subscription lacks something, `BadInputError` if there is no terminal.
    """
    messages.print(announcement(stack, settings), markup=False)
    if check and (bad := [finding for finding in diagnose_stack(stack) if not finding.ok]):
        show_findings(bad, to=messages)
        raise PersonalizationError(
            f"Nothing was created: the subscription is not ready for stack {stack}, see above. "
            f"`.venv/bin/personalize doctor --stack {stack}` checks again; `up --no-check` goes on without it."
        )
    confirm("Create it?", yes=yes)


def links_table(outputs: dict[str, Any], certificate: Path | None) -> Table:
    """Where to look at the parts of a stack on Azure, and its price."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    if certificate is not None:
        table.add_row("CA certificate", str(certificate))
    for name, title in LINKS.items():
        if name in outputs:
            table.add_row(title, str(outputs[name]))
    if "usd_per_month" in outputs:
        table.add_row("a month", f"about {outputs['usd_per_month']:,.0f} USD {DAILY}")
    return table


def show_summary(outputs: dict[str, Any], stack: str) -> None:
    """Print the outputs of an update for a person, with commands for this stack."""
    if "endpoint" not in outputs:
        return
    flag = StackFiles(stack).options
    metrics = outputs["metrics"] if isinstance(outputs.get("metrics"), dict) else {}
    recommender = metrics.get("recommender")
    tell(f"The service answers at {outputs['endpoint']} with model version {outputs['model_version']}.")
    if "personalization:model_version" in StackFiles(stack).read_overrides():  # by `serve`
        tell(f"It stays in service, even if `up` trains a newer one, until `.venv/bin/personalize serve latest{flag}`.")
    if recommender and recommender["accepted"]:
        user = shlex.quote(_somebody(stack, outputs) or "USER")
        tell(f"Recommend items to a user:\n\n  .venv/bin/personalize recommend{flag} {user} --top 5\n")
    scores = not recommender or "auc" in metrics
    if scores:
        _tell_how_to_score(outputs, stack, flag)
    tables: list[Table | str] = [metrics_table(metrics)] if metrics and scores else []
    tables += [recommender_table(recommender)] if recommender else []
    for number, table in enumerate(tables):
        if number:
            results.print()
        results.print(table)
    report, opens = Path(outputs["report"]), f"`.venv/bin/personalize report{flag} --open` shows it"
    tell(f"\nReport: {shown_path(report)} ({opens})" if report.is_file() else f"\nReport: {opens}")
    if azure_of(stack) is not None:
        results.print()
        results.print(links_table(outputs, trusted_certificate(StackFiles(stack), outputs)))
    key = f"`.venv/bin/personalize key{flag}`"
    tell(f"Page: {outputs['endpoint']} in a browser; sign in with any name, and as password what {key} prints")


def _somebody(stack: str, outputs: dict[str, Any]) -> str | None:
    """The ID of a user whom the service knows, to try it with; None in CI, whose logs others read, and on Azure."""
    if os.environ.get("CI") or azure_of(stack) is not None:
        return None
    folder = StackFolder(state_folder(stack))
    try:
        return a_user(folder.snapshots_of(outputs["bundle_hash"]) / HISTORIES, Forgotten.load(folder.forgotten))
    except (SnapshotError, KeyError):
        return None


def _tell_how_to_score(outputs: dict[str, Any], stack: str, flag: str) -> None:
    """Print commands that request a click probability."""
    tell("Request a click probability:\n")
    if (own := StackFolder(state_folder(stack)).example).is_file():
        example = shlex.quote(str(shown_path(own)))
        trusted = trusted_certificate(StackFiles(stack), outputs)
        trust = f"--cacert {shlex.quote(str(shown_path(trusted)))} " if trusted else ""
        # Through a pipe, as an argument would show in the machine's list of processes.
        tell(
            f"  .venv/bin/personalize key{flag} --header |\n"
            f"    curl -s -H @- -H 'Content-Type: application/json' {trust}-d @{example} {outputs['endpoint']}/score\n"
            f"  .venv/bin/personalize predict{flag} {example}\n"
        )
    else:  # the model was registered from another machine
        tell(f"  .venv/bin/personalize predict{flag} --example > record.json\n")
        tell(f"  .venv/bin/personalize predict{flag} record.json\n")
