"""`catalogue` and `forget`: other items for the running service, and users that nothing may know any more."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInputError
from personalize.errors import StackMissingError
from personalize.stack.on_azure import azure_of, settings_of, snapshots_of, versions_of
from personalize.terminal import Json, SettingsFile, Stack, print_json, results, tell
from steps.datasets import located
from steps.model_versions import Version
from steps.volumes import DELETED_DAYS
from training.catalogue import load


class Action(StrEnum):
    """What is done to the catalogue."""

    LOAD = "load"


def catalogue(
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="All items: a table with the columns of the dataset's items.")],
    *,
    stack: Stack = "local",
    config_file: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Replace the catalogue of items, all or nothing, without training.

    Items that the file lacks are withdrawn: they are not recommended any more, also after training or with an older
    model, until a later load has them again. The service follows within a minute.

    .venv/bin/personalize catalogue load items.csv
    """
    del action
    change = partial(load, located(settings_of(stack, config_file).dataset), file)
    serving = versions_of(stack, config_file).get_champion()
    if serving is None:
        raise StackMissingError(f"Stack {stack} serves no model yet. `.venv/bin/personalize up` trains the first.")
    found = snapshots_of(stack, config_file).change_catalogue(serving.bundle_hash, change)
    if as_json:
        print_json(asdict(found))
        return
    counts = {"added": found.added, "changed": found.changed, "withdrawn": found.withdrawn, "as before": found.same}
    results.print(f"{', '.join(f'{count:,} {name}' for name, count in counts.items())}; catalogue {found.version}")


FORGOTTEN = (
    "{user} is forgotten: within a minute the service answers as for an unknown user, and no training reads their rows."
)
KEPT = (
    " The stored histories of {versions} {have} them; nothing reads them there any more. Histories are kept for the "
    "version that serves, the one before and the newest accepted one, so these go once two newer ones have served."
)
NOT_KEPT = " No stored histories have them."
REMAINS = (
    " What else remains: the copy of the data in the stack's {place}, until there is other data; what {runs}; models "
    "trained before, which hold no rows but have learned from them, until `destroy`; your own tables, and files that "
    "you have written."
)
RUNS_HERE = "the last training and interrupted ones left there, until the next one"
RUNS_IN_LAKE = "interrupted runs left there, until `destroy`"
IN_LAKE = f" What is deleted from the lake can be restored for {DELETED_DAYS} days."
AT_ONCE = (
    "The service knows {user} again within a minute: the histories of model version {serving}, which serves, still "
    "have them."
)
AT_ONCE_IN_LAKE = (
    "The service knows {user} again within a minute, if it did before: the histories of model version {serving}, which "
    "serves, were made before they were forgotten."
)
NEXT_TRAINING = (
    "{user} comes back with the next training, which reads their rows again. Only changed data, settings or code cause "
    "one."
)
NEWER = (
    " `.venv/bin/personalize serve {newest}{of_stack}` brings them back sooner: the histories of that version {have} "
    "them."
)


def forget(
    user: Annotated[str, typer.Argument(help="The ID of the user.", show_default=False)],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Let the user be known and their rows be read again.")] = False,
    stack: Stack = "local",
    config_file: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Forget a user: the service knows them no longer, and no training reads their rows, until you undo it.

    The service answers as for an unknown user within a minute.

    .venv/bin/personalize forget u017
    """
    azure = azure_of(stack, config_file)
    if not user:
        raise BadInputError("Give the ID of a user, which is not empty.")
    users = snapshots_of(stack, config_file)
    if not undo:
        users.forget(user)
    elif not users.remember(user):
        raise BadInputError(f"The user {user} was not forgotten.")
    having = users.having(user)
    versions = _versions(stack, config_file)
    numbers = [version.number for version in versions if version.bundle_hash in having]
    serving = next((version.number for version in versions if version.champion), 0)
    if as_json:
        at_once = {"at_once": serving in numbers} if undo else {}
        print_json({"user": user, "forgotten": not undo, "versions": numbers} | at_once)
    elif undo:
        tell(_told_undone(user, numbers, serving, stack=stack, on_azure=azure is not None))
    else:
        tell(_told(user, numbers, on_azure=azure is not None))


def _told_undone(user: str, versions: list[int], serving: int, *, stack: str, on_azure: bool) -> str:
    """After a rollback, a newer version than the one that is `serving` may have the user."""
    if serving in versions:
        return (AT_ONCE_IN_LAKE if on_azure else AT_ONCE).format(user=user, serving=serving)
    of_stack = "" if stack == "local" else f" --stack {stack}"
    newer = NEWER if max(versions, default=0) > serving else ""
    told = NEXT_TRAINING + newer
    return told.format(user=user, newest=max(versions, default=0), of_stack=of_stack, have=_have(on_azure=on_azure))


def _have(*, on_azure: bool) -> str:
    return "may still have" if on_azure else "still have"


def _told(user: str, versions: list[int], *, on_azure: bool) -> str:
    names = f"model version{'s' if len(versions) > 1 else ''} {' and '.join(map(str, versions))}"
    kept = KEPT.format(versions=names, have=_have(on_azure=on_azure)) if versions else NOT_KEPT
    place, runs = ("lake", RUNS_IN_LAKE) if on_azure else ("folder", RUNS_HERE)
    remains = REMAINS.format(place=place, runs=runs) + (IN_LAKE if on_azure else "")
    return FORGOTTEN.format(user=user) + kept + remains


def _versions(stack: str, config_file: Path | None) -> Sequence[Version]:
    """The stack's versions, none before the first."""
    try:
        return versions_of(stack, config_file).list()
    except StackMissingError:
        return []
