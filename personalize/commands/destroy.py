"""`destroy`: deletes a stack, and on Azure finds what is left by its tags, since the state is gone."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from azure_clients import credentials
from azure_clients.resource_manager import ResourceManager
from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from infra.cloud.names import PROJECT, PROJECT_TAG, STACK_TAG, Names, lake_path, names_of
from personalize.bootstrap.names import STATE_GROUP
from personalize.bootstrap.resources import RESOURCES_VERSION, STORAGE_VERSION
from personalize.commands.lifecycle import changes_in_words, shown_operation, summary_of
from personalize.commands.models import export
from personalize.errors import StackMissingError
from personalize.stack.on_azure import azure_of, require_packages, versions_of
from personalize.stack.session import StackSession
from personalize.terminal import (
    ExitCode,
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
    stack: Stack = "local",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete a stack: the service, all models, the copy of the data and the stack's folder.

    On Azure it ends with a list of what is left and why. Exit code 1 means that something still costs money.

    Example: .venv/bin/personalize destroy --stack dev --keep-data
    """
    session = StackSession(stack)
    azure = azure_of(stack)
    if azure is not None:
        require_packages()
    found: dict[str, Any] = {"changes": {}, "steps": {}, "seconds": 0.0}
    if session.exists():
        if keep_data and azure is not None and session.lake() not in (None, lake_path(names_of(stack, azure), azure)):
            raise BadInputError(
                f"Stack {stack} was brought up with another `azure.suffix`, so its models can't be saved. Restore the "
                "setting, or leave out `--keep-data`."
            )
        _agree(session, azure, yes=yes, delete_data=delete_data)
        if keep_data and (saved := _save(stack)) is not None:
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


def _agree(session: StackSession, azure: AzureSettings | None, *, yes: bool, delete_data: bool) -> None:
    """Ask, and on Azure a second time if there is a data lake. Raises `BadInputError` if the stack is protected."""
    stack = session.stack
    if azure is not None and azure.protect:
        raise BadInputError(
            f"Stack {stack} is protected against deletion. Set `azure.protect` to false, run "
            f"`.venv/bin/personalize up --stack {stack}`, then destroy it."
        )
    confirm(f"Delete stack {stack}, with its service and all its models?", yes=yes)
    lake = _lake(session, azure) if azure is not None else None
    if lake is None or delete_data:
        return
    if not messages.is_terminal:
        raise BadInputError(f"This would also delete the data lake {lake}. Add `--delete-data` to confirm it.")
    typed = typer.prompt(f"The data lake {lake} will be deleted too. Type its name to confirm", err=True)
    if typed != lake:
        raise BadInputError(f"You typed {typed!r}, not {lake!r}: nothing was deleted.")


def _lake(session: StackSession, azure: AzureSettings) -> str | None:
    """The name of the stack's data lake, None if there is none."""
    path = session.lake() or lake_path(names_of(session.stack, azure), azure)
    there = credentials.resource_manager(azure.tenant).get(path, STORAGE_VERSION) is not None
    return path.rpartition("/")[2] if there else None


def _save(stack: str) -> Path | None:
    """Save the stack's models; returns the folder. None without a registry, as after an interrupted deletion."""
    try:
        versions = versions_of(stack)
        versions.list()
    except StackMissingError:
        if StackFolder(state_folder(stack)).registry.exists():  # it lost its list, but may have bundles
            raise
        say("There are no models to save.")
        return None
    folder = export(versions.list, versions.fetch, Path(f"personalization-{stack}-export").absolute())
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


TRIES = 10
PAUSE_SECONDS = 30.0
STATE_STAYS = (
    f"it holds the state of every stack of the subscription, for some cents a month. After the last stack, run "
    f"`az lock delete --name keep --resource-group {STATE_GROUP}`, then `az group delete --name {STATE_GROUP}`. Its "
    "Key Vault cannot be purged: for 90 days its name stays taken, and `bootstrap` recovers it"
)
GROUP_STAYS = (
    "it stays for the next `up`, with the deployers' rights in it and the budget for it. When the stack is gone for "
    "good, an owner deletes it: `az group delete --name {name}`"
)
ALWAYS = (
    "Key Vault and Log Analytics workspace are soft-deleted: their names stay taken for days; they cost nothing",
    "Unity Catalog's entry of the Databricks workspace stays in the account console; it costs nothing",
    "NetworkWatcherRG belongs to the subscription, where Azure itself made it; it costs nothing",
)
"""What `destroy` cannot delete, and nobody needs to."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that is left: whether it costs money, and why it stays or how to delete it."""

    name: str
    kind: str
    billable: bool
    why: str


def leftovers(manager: ResourceManager, names: Names) -> list[Leftover]:
    """Everything that is left of the stack, what costs money first. Raises `ManagerRefusedError`."""
    path = f"/subscriptions/{names.subscription}"
    found = [*_groups(manager, path, names), *_resources(manager, path, names.stack)]
    return sorted(found, key=lambda one: (not one.billable, one.kind, one.name))


def _groups(manager: ResourceManager, path: str, names: Names) -> Iterator[Leftover]:
    for group in manager.list(f"{path}/resourcegroups", RESOURCES_VERSION):
        name, owner = str(group["name"]), str(group.get("managedBy") or "").rpartition("/")[2]
        if name == STATE_GROUP:
            yield Leftover(name=name, kind="resource group", billable=False, why=STATE_STAYS)
        elif name in (names.training_group, names.serving_group):
            why = GROUP_STAYS.format(name=name)
            yield Leftover(name=name, kind="resource group", billable=False, why=why)
        elif _ours(group.get("tags") or {}, names.stack) or name in (names.databricks_group, names.nodes_group):
            deletes = f"`az group delete --name {name}` deletes it with everything in it"
            why = f"delete {owner}, to which the group belongs" if owner else deletes
            yield Leftover(name=name, kind="resource group", billable=True, why=why)


def _resources(manager: ResourceManager, path: str, stack: str) -> Iterator[Leftover]:
    query = {"$filter": f"tagName eq '{PROJECT_TAG}' and tagValue eq '{PROJECT}'"}
    for resource in manager.list(f"{path}/resources", RESOURCES_VERSION, **query):
        if _ours(resource.get("tags") or {}, stack):
            why = f"`az resource delete --ids {resource['id']}` deletes it"
            yield Leftover(name=str(resource["name"]), kind=str(resource["type"]), billable=True, why=why)


def _ours(tags: Mapping[str, Any], stack: str) -> bool:
    return tags.get(PROJECT_TAG) == PROJECT and tags.get(STACK_TAG) == stack


def settled(
    look: Callable[[], list[Leftover]], say: Callable[[str], None], pause: Callable[[float], None]
) -> list[Leftover]:
    """The result of `look` when nothing costs money any more, or after some minutes, since Azure's lists lag."""
    found = look()
    for _ in range(TRIES):
        costing = [one for one in found if one.billable]
        if not costing:
            break
        say(f"Azure still lists {len(costing)} thing(s) that cost money; checking again in {PAUSE_SECONDS:.0f} s ...")
        pause(PAUSE_SECONDS)
        found = look()
    return found
