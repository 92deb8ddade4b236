"""`forget`: keeps a user out of trainings, snapshots and answers."""

from typing import Annotated, Protocol

import typer

from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from personalize.errors import StackMissingError
from personalize.stack.locks import clear_stale
from personalize.stack.on_azure import azure_of, require_packages
from personalize.stack.stack_files import StackFiles
from personalize.terminal import options
from personalize.terminal.output import print_json, say, tell
from steps.local.snapshots import LocalSnapshots
from steps.shared.folders import StackFolder
from steps.shared.volumes import DELETED_DAYS

REMAINS = (
    "What remains: the copy of the data in the stack's {place}, until there is other data; models trained before, "
    "which hold no rows but have learned from them, until `destroy`; your own tables, and files that you have written."
)
IN_LAKE = f" What was deleted from the lake can be restored for {DELETED_DAYS} days."


class Users(Protocol):
    """Where a stack keeps what it knows of its users."""

    def forget(self, user: str) -> int:
        """Keep a user out of everything from now on; return in how many files they were."""
        ...

    def remember(self, user: str) -> bool:
        """Let the next training read a user's rows again; returns whether they were forgotten."""
        ...


def forget(
    user: Annotated[str, typer.Argument(help="The ID of the user.", show_default=False)],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Let the next training read the user's rows again.")] = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Forget a user: their history is deleted, and no training reads their rows, until you undo it.

    The service answers as for an unknown user within seconds, on Azure within a minute.

    .venv/bin/personalize forget u017
    """
    azure = azure_of(stack, config_file)
    if not user:
        raise BadInputError("Give the ID of a user, which is not empty.")
    files = StackFiles(stack, config_file)
    clear_stale(files.state, stack, say)
    users = _here(files) if azure is None else _in_lake(stack, azure)
    if undo:
        if not users.remember(user):
            raise BadInputError(f"The user {user} was not forgotten.")
        found, sentence = 0, f"The next training reads the rows of {user} again."
    else:
        found = users.forget(user)
        remains = REMAINS.format(place="folder") if azure is None else REMAINS.format(place="lake") + IN_LAKE
        known = f"and was in {found} files with histories" if found else "but nothing was stored about this user"
        sentence = f"{user} is forgotten, {known}. {remains}"
    if as_json:
        print_json({"user": user, "forgotten": not undo, "files": found})
    else:
        tell(sentence)


def _here(files: StackFiles) -> Users:
    if not files.folder.is_dir():
        raise StackMissingError(f"There is no stack {files.stack}. `.venv/bin/personalize up` creates it.")
    return LocalSnapshots(StackFolder(files.folder))


def _in_lake(stack: str, azure: AzureSettings) -> Users:
    require_packages()
    from personalize.clients.azure_models import snapshots_of  # noqa: PLC0415 - needs Azure's packages
    from personalize.clients.job_runs import require_none  # noqa: PLC0415 - see above

    require_none(stack, azure)
    return snapshots_of(stack, azure)
