"""Moves a stack's state from this machine into its subscription, and finds a state that is somewhere else.

A stack whose state is elsewhere looks new: an `up` would try to create everything again.
"""

import shutil
from collections.abc import Callable

from azure_clients import credentials
from azure_clients.errors import ManagerRefusedError
from features.errors import BadInputError, PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cloud.names import names_of
from infra.setting_types import StatePlace
from personalize.stack.stack_files import StackFiles
from personalize.stack.state_store import (
    MachineState,
    SubscriptionState,
    patiently,
    project_folder,
    read_snapshot,
    state_file,
    subscription_state,
)

STORAGE_VERSION = "2024-01-01"
KEPT = "state-before-move"
"""Folder of the old state, which the passphrase beside it still opens."""
Run = Callable[..., str]


class StateElsewhereError(PersonalizationError):
    """The stack exists, but not in the state backend of its settings."""


class StateMoveError(PersonalizationError):
    """There is nothing to move, or something in its place."""


def resources_on_machine(files: StackFiles) -> int:
    """How many resources the state on this machine has; 0 without one."""
    file = state_file(files)
    return len(read_snapshot(file).get("resources") or ()) if file.is_file() else 0


def refuse_state_on_machine(files: StackFiles, azure: AzureSettings | None) -> None:
    """Raise `StateElsewhereError` if the settings want the state in the subscription, and it is still here."""
    if azure is None or azure.state is StatePlace.MACHINE:
        return
    if resources_on_machine(files):
        raise StateElsewhereError(
            f"The state of stack {files.stack} is on this machine, and `azure.state` says `subscription`, where there "
            f"is none of this stack yet. `.venv/bin/personalize move-state --stack {files.stack}` moves it there."
        )


def refuse_state_elsewhere(files: StackFiles, azure: AzureSettings | None) -> None:
    """Raise `StateElsewhereError` if the lake of a stack that has no state here exists already."""
    if azure is None:
        return
    names = names_of(files.stack, azure)
    group = azure.group_id(names.training_group)
    path = f"{group}/providers/Microsoft.Storage/storageAccounts/{names.lake}"
    try:
        found = credentials.resource_manager(azure.tenant).get(path, STORAGE_VERSION)
    except ManagerRefusedError:
        return  # without the right to look there, creating it will be refused too
    if found is not None:
        raise StateElsewhereError(
            f"Stack {files.stack} exists in subscription {azure.subscription} (storage account {names.lake}), but the "
            f"state backend (`azure.state: {azure.state}`) has nothing of it: the state is on the machine that brought "
            f"it up. There, run `.venv/bin/personalize bootstrap --stack {files.stack}`, set `state: subscription`, "
            f"and run `.venv/bin/personalize move-state --stack {files.stack}`."
        )


def move_state(files: StackFiles, azure: AzureSettings, run: Run, say: Callable[[str], None]) -> int:
    """Move the state into the subscription, encrypted anew. Returns the number of resources in it.

    `pulumi stack migrate` copies it, and removes what it wrote if it fails. The old state is kept beside the stack's
    files, under another name. Raises `StateMoveError`, `StackBusyError` or `PassphraseLostError`.
    """
    if azure.state is StatePlace.MACHINE:
        raise BadInputError(
            f"Stack {files.stack} has `state: machine`. Set `state: subscription` under `personalization:azure` in "
            f"{files.source.name} first; `.venv/bin/personalize bootstrap --stack {files.stack}` creates the backend."
        )
    machine, shared = MachineState(files, run), subscription_state(files, azure, run, say)
    if not machine.exists():
        raise StateMoveError(
            f"There is no state of stack {files.stack} on this machine. Run this on the machine that brought it up."
        )
    machine.check()
    machine.clear_locks(say)
    if shared.exists():
        if shared.snapshot().get("resources"):
            raise StateMoveError(
                f"The state backend of subscription {azure.subscription} has a stack {files.stack} with resources "
                f"already. Which one is right? Delete the other: {files.state} here, or the one there."
            )
        shared.forget()  # an interrupted move left it empty
    _migrate(files, machine, shared, lambda *given, **variables: patiently(lambda: run(*given, **variables), say))
    count = len(shared.snapshot()["resources"])
    kept = files.folder / KEPT
    shutil.rmtree(kept, ignore_errors=True)
    files.state.rename(kept)
    files.create_folders()
    return count


def _migrate(files: StackFiles, machine: MachineState, shared: SubscriptionState, run: Run) -> None:
    """Copy the state; Pulumi reads and writes the encryption of secrets in the folder."""
    source = machine.environment()
    command = ["stack", "migrate", source["PULUMI_BACKEND_URL"], files.stack, "--yes"]
    command += ["--secrets-provider", shared.secrets_provider]
    with project_folder(files, "move") as folder:
        run(command, folder, PULUMI_CONFIG_PASSPHRASE_FILE=source["PULUMI_CONFIG_PASSPHRASE_FILE"])
