"""Users who are forgotten: one before the training that reads their rows, and one after it."""

import json
from contextlib import closing, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from personalize.commands import forget as command
from recommend import histories
from recommend.forgotten import FILE, Forgotten
from recommend.histories import Histories
from recommend.published import CURRENT, decode, place
from steps.shared.volumes import SERVED, Volume
from tests.simulation.scenarios.lost_libraries import container_of
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import STACK, SimulatedStack

BEFORE, AFTER, NEVER = "u001", "u002", "u003"
"""When these users of the README's tables are forgotten."""


def forget_before_training(stack: SimulatedStack, report: Report) -> None:
    """Nothing is known of the user yet, and the next training passes over their rows."""
    report.want("files with a user before a training reads tables", 0, _forget(stack, BEFORE)["files"])


def forget_after_training(stack: SimulatedStack, report: Report) -> None:
    """Another user leaves what pods fetch, and at last neither of them is on the list of forgotten users."""
    report.want("users in the histories after the training", [AFTER, NEVER], _stored(stack))
    report.want("files with a user after the training", 1, _forget(stack, AFTER)["files"])
    report.want("users in the histories then", [NEVER], _stored(stack))
    report.want("users whom trainings pass over", [BEFORE, AFTER], _listed(stack))
    for user in (BEFORE, AFTER):
        _forget(stack, user, undo=True)
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
    """The users in the histories that pods fetch."""
    lake, folder = container_of(stack, Volume.SNAPSHOTS), f"{Volume.SNAPSHOTS.folder}/{SERVED}"
    digest = decode(lake.download_blob(f"{folder}/{CURRENT}").readall())[histories.FILE]
    with TemporaryDirectory() as temporary:
        file = Path(temporary) / histories.FILE
        file.write_bytes(lake.download_blob(f"{folder}/{place(histories.FILE, digest)}").readall())
        with closing(Histories(file, [])) as opened:
            return [user for user in (BEFORE, AFTER, NEVER) if opened.find(user) is not None]


def _listed(stack: SimulatedStack) -> list[str]:
    """The users on the list beside the histories."""
    lake, folder = container_of(stack, Volume.SNAPSHOTS), f"{Volume.SNAPSHOTS.folder}/{SERVED}"
    found = Forgotten.decode(lake.download_blob(f"{folder}/{FILE}").readall())
    return [user for user in (BEFORE, AFTER, NEVER) if user in found]
