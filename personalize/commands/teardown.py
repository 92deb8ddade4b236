"""`destroy`: deletes a stack, and on Azure lists what is left."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from azure_clients import credentials
from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from infra.cloud.names import names_of
from personalize.clients.model_registry import versions_of
from personalize.commands.lifecycle import changes_in_words, shown_operation, summary_of
from personalize.commands.session import open_session
from personalize.errors import StackMissingError
from personalize.stack.on_azure import azure_of, require_packages
from personalize.teardown.export import export
from personalize.teardown.leftovers import ALWAYS, STORAGE_VERSION, leftovers, settled
from personalize.terminal import options
from personalize.terminal.output import ExitCode, confirm, messages, print_json, results, say, tell
from steps.folders import StackFolder
from tools.paths import state_folder


def destroy(
    *,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="First save all models and their reports in a folder here.")
    ] = False,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="On Azure: delete the data lake without a second question.")
    ] = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Delete a stack: the service, all models, the copy of the data and the stack's folder.

    On Azure it ends with a list of what is left and why. Exit code 1 means that something still costs money.

    Example: .venv/bin/personalize destroy --stack dev --keep-data
    """
    session = open_session(stack, config_file)
    azure = azure_of(stack, config_file)
    if azure is not None:
        require_packages()
    found: dict[str, Any] = {"changes": {}, "steps": {}, "seconds": 0.0}
    if session.exists():
        _agree(stack, azure, yes=yes, delete_data=delete_data)
        if keep_data and (saved := _save(stack, config_file)) is not None:
            found["saved"] = str(saved)
        outcome = shown_operation(session.destroy)
        found |= summary_of(outcome)
        if not as_json:
            tell(f"\nStack {stack} is gone: {changes_in_words(outcome)}")
    else:
        session.files.finish_deletion()
        say(f"Stack {stack} is not up, so there is nothing to destroy.")
    costing = _look(stack, azure, found, as_json=as_json) if azure is not None else False
    if as_json:
        print_json(found)
    if costing:
        raise typer.Exit(ExitCode.FAILED)


def _agree(stack: str, azure: AzureSettings | None, *, yes: bool, delete_data: bool) -> None:
    """Ask, and on Azure a second time if there is a data lake. Raises `BadInputError` if the stack is protected."""
    if azure is not None and azure.protect:
        raise BadInputError(
            f"Stack {stack} is protected against deletion. Set `azure.protect` to false, run "
            f"`.venv/bin/personalize up --stack {stack}`, then destroy it."
        )
    confirm(f"Delete stack {stack}, with its service and all its models?", yes=yes)
    lake = _lake(stack, azure) if azure is not None else None
    if lake is None or delete_data:
        return
    if not messages.is_terminal:
        raise BadInputError(f"This would also delete the data lake {lake}. Add `--delete-data` to confirm it.")
    typed = typer.prompt(f"The data lake {lake} will be deleted too. Type its name to confirm", err=True)
    if typed != lake:
        raise BadInputError(f"You typed {typed!r}, not {lake!r}: nothing was deleted.")


def _lake(stack: str, azure: AzureSettings) -> str | None:
    """The name of the stack's data lake, None if there is none."""
    names = names_of(stack, azure)
    group = azure.group_id(names.training_group)
    path = f"{group}/providers/Microsoft.Storage/storageAccounts/{names.lake}"
    there = credentials.resource_manager(azure.tenant).get(path, STORAGE_VERSION) is not None
    return names.lake if there else None


def _save(stack: str, config_file: Path | None) -> Path | None:
    """Save the stack's models, also those that an update registers meanwhile; returns the folder.

    None without a registry, as after an interrupted deletion.
    """
    try:
        versions = versions_of(stack, config_file)
        registered = versions.list()
    except StackMissingError:
        if StackFolder(state_folder(stack)).registry.exists():  # it lost its list, but may have bundles
            raise
        say("There are no models to save.")
        return None
    while True:
        say(f"Saving {len(registered)} model version(s) ...")
        folder = export(registered, versions.fetch, Path(f"personalization-{stack}-export").absolute()).parent
        before, registered = registered, versions.list()
        if registered == before:
            break
    say(f"They are saved in {folder}.")
    return folder


def _look(stack: str, azure: AzureSettings, found: dict[str, Any], *, as_json: bool) -> bool:
    """Put what is left on Azure into `found`, and print it. Returns whether some of it costs money."""
    manager = credentials.resource_manager(azure.tenant)
    names = names_of(stack, azure)
    left = settled(lambda: leftovers(manager, names), say, time.sleep)
    found["left"] = [asdict(one) for one in left]
    costing = [one for one in left if one.billable]
    if as_json:
        return bool(costing)
    for one in left:
        mark = "[red]costs money[/]" if one.billable else "[dim]free[/]"
        results.print(f"  {mark}  {one.kind} {one.name}: ", end="")
        tell(one.why)
    for sentence in ALWAYS:
        results.print(f"  free  {sentence}", markup=False, style="dim")
    tell("Something is left that costs money." if costing else "Nothing is left that costs money.")
    return bool(costing)
