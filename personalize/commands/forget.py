"""`forget`: keeps a user out of trainings, snapshots and answers."""

from typing import Annotated

import typer

from features.errors import BadInputError
from personalize.errors import StackMissingError
from personalize.stack.locks import clear_stale
from personalize.stack.on_azure import azure_of
from personalize.stack.stack_files import StackFiles
from personalize.terminal import options
from personalize.terminal.output import print_json, say, tell
from steps.local.snapshots import forget as forget_user
from steps.local.snapshots import remember
from steps.shared.folders import StackFolder

REMAINS = (
    "What remains: the copy of the data in the stack's folder, until there is other data; models trained before, which "
    "hold no rows but have learned from them, until `destroy`; your own tables, and files that you have written."
)


def forget(
    user: Annotated[str, typer.Argument(help="The ID of the user.", show_default=False)],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Let the next training read the user's rows again.")] = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Forget a user: their history is deleted, and no training reads their rows, until you undo it.

    The service answers as for an unknown user within seconds.

    .venv/bin/personalize forget u017
    """
    if azure_of(stack, config_file) is not None:
        raise BadInputError(f"Stack {stack} is on Azure, where `forget` is not there yet.")
    files = StackFiles(stack, config_file)
    if not files.folder.is_dir():
        raise StackMissingError(f"There is no stack {stack}. `.venv/bin/personalize up` creates it.")
    if not user:
        raise BadInputError("Give the ID of a user, which is not empty.")
    clear_stale(files.state, stack, say)
    folder = StackFolder(files.folder)
    if undo:
        if not remember(folder, user):
            raise BadInputError(f"The user {user} was not forgotten.")
        found, sentence = 0, f"The next training reads the rows of {user} again."
    else:
        found = forget_user(folder, user)
        sentence = f"{user} is forgotten, and was in {found} files with histories. {REMAINS}"
    if as_json:
        print_json({"user": user, "forgotten": not undo, "files": found})
    else:
        tell(sentence)
