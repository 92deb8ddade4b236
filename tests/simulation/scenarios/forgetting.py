"""Users who are forgotten: one before the training that reads their rows, and one after it."""

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from personalize.commands import forget as command
from recommend import histories
from recommend.forgotten import FILE, Forgotten
from recommend.published import CURRENT, decode, place
from steps.shared.volumes import SERVED, Volume
from tests.simulation.scenarios.lost_libraries import container_of
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import STACK, SimulatedStack

BEFORE, AFTER, NEVER = "u001", "u002", "u003"
"""When these users of the README's tables are forgotten."""


def forget_before_training(stack: SimulatedStack, report: Report) -> None:
    """The next training passes over the user's rows. The version of films has histories, which nobody reads for it."""
    report.want("versions that may have the user before", [1], _forget(stack, BEFORE)["versions"])


def forget_after_training(stack: SimulatedStack, report: Report) -> None:
    """Another user stays in the histories that are kept, and at last neither of them is on the list."""
    report.want("users in the histories after the training", [AFTER, NEVER], _stored(stack))
    # The version of films, too, which served before.
    having = [len(_forget(stack, user)["versions"]) for user in (BEFORE, AFTER)]
    report.want("versions that may have a user who was forgotten before the training, or after it", [1, 2], having)
    report.want("users in the histories then", [AFTER, NEVER], _stored(stack))
    report.want("users whom trainings pass over", [BEFORE, AFTER], _listed(stack))
    at_once = [_forget(stack, user, undo=True)["at_once"] for user in (BEFORE, AFTER)]
    report.want("users whom the service knows at once after `--undo`", [False, True], at_once)
    report.want("users whom trainings pass over after `--undo`", [], _listed(stack))


def remember(stack: SimulatedStack, report: Report) -> None:
    """After a training with other hyperparameters all users are stored again."""
    stack.settings["training"]["num_leaves"] += 1
    stack.up()
    report.want("users in the histories of a training after `--undo`", [BEFORE, AFTER, NEVER], _stored(stack))


def _forget(stack: SimulatedStack, user: str, *, undo: bool = False) -> dict[str, Any]:
    """What `personalize forget --json` prints."""
    stack.session()  # writes the stack file
    with redirect_stdout(StringIO()) as printed:
        command.forget(user, undo=undo, stack=STACK, config_file=stack.file, as_json=True)
    found: dict[str, Any] = json.loads(printed.getvalue())
    return found


def _stored(stack: SimulatedStack) -> list[str]:
    """The users in the histories of any version."""
    lake, folder = container_of(stack, Volume.SNAPSHOTS), f"{Volume.SNAPSHOTS.folder}/{SERVED}"
    versions = [blob.name for blob in lake.list_blobs(folder) if blob.name.endswith(f"/{CURRENT}")]
    digests = {decode(lake.download_blob(name).readall())[histories.FILE] for name in versions}
    with TemporaryDirectory() as temporary:
        for digest in digests:
            content = lake.download_blob(f"{folder}/{place(histories.FILE, digest)}").readall()
            (Path(temporary) / digest).write_bytes(content)
        files = [*Path(temporary).iterdir()]
        return [user for user in (BEFORE, AFTER, NEVER) if any(histories.has(file, user) for file in files)]


def _listed(stack: SimulatedStack) -> list[str]:
    """The users on the list beside the histories."""
    lake, folder = container_of(stack, Volume.SNAPSHOTS), f"{Volume.SNAPSHOTS.folder}/{SERVED}"
    found = Forgotten.decode(lake.download_blob(f"{folder}/{FILE}").readall())
    return [user for user in (BEFORE, AFTER, NEVER) if user in found]
