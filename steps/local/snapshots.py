"""Puts the snapshots that a training run wrote where the stack's service follows them."""

import os
import shutil
from pathlib import Path

from features.files import written_aside
from recommend import catalogue, histories
from recommend.forgotten import Forgotten
from recommend.stored import FOLDER
from steps.shared.folders import StackFolder
from steps.shared.run_folder import OUTPUT
from training.work import FOLDER as WORK


def publish(output: Path, folder: StackFolder) -> None:
    """Publish what the run in `output` has read, without users who were forgotten meanwhile.

    Histories of a dataset without users are removed.

    Raises `SnapshotError` if the disk is full; what served goes on serving.
    """
    made, target = output / FOLDER, folder.snapshots / histories.FILE
    if not (made / histories.FILE).is_file():
        target.unlink(missing_ok=True)
        return
    catalogue.after_training(made / catalogue.FILE, folder.snapshots / catalogue.FILE)
    histories.remove(made / histories.FILE, Forgotten.load(folder.forgotten))
    with written_aside(target) as aside:
        os.link(made / histories.FILE, aside)


def forget(folder: StackFolder, user: str) -> int:
    """Keep a user out of all trainings, snapshots and answers from now on; return in how many files they were.

    Raises `SnapshotError` if the disk is full; then the same call goes on from there.
    """
    users = Forgotten.load(folder.forgotten).with_user(user)
    users.save(folder.forgotten)
    for prepared in folder.runs.glob(f"*/{OUTPUT}/{WORK}"):  # of interrupted runs
        shutil.rmtree(prepared)
    made = folder.runs.glob(f"*/{OUTPUT}/{FOLDER}/{histories.FILE}")
    return sum(histories.remove(file, users) for file in (folder.snapshots / histories.FILE, *made) if file.is_file())


def remember(folder: StackFolder, user: str) -> bool:
    """Let the next training read a user's rows again; returns whether they were forgotten."""
    users = Forgotten.load(folder.forgotten)
    if user not in users:
        return False
    users.without_user(user).save(folder.forgotten)
    return True
