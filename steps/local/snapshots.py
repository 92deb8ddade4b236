"""The snapshots on this machine that the stack's service follows."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from features.files import written_aside
from recommend import catalogue, histories
from recommend.forgotten import Forgotten, change
from recommend.stored import FOLDER
from steps.shared.folders import StackFolder
from steps.shared.run_folder import OUTPUT
from training.work import FOLDER as WORK


@dataclass(frozen=True)
class LocalSnapshots:
    """The users' histories and the catalogue in a stack's folder. Raises `SnapshotError` if the disk is full."""

    folder: StackFolder

    def publish(self, output: Path) -> None:
        """Publish what the run in `output` has read, without users who were forgotten meanwhile.

        Histories of a dataset without users are removed. After an error, what served goes on serving.
        """
        made, target = output / FOLDER, self.folder.snapshots / histories.FILE
        if not (made / histories.FILE).is_file():
            target.unlink(missing_ok=True)
            return
        catalogue.after_training(made / catalogue.FILE, self.folder.snapshots / catalogue.FILE)
        histories.remove(made / histories.FILE, Forgotten.load(self.folder.forgotten))
        with written_aside(target) as aside:
            os.link(made / histories.FILE, aside)

    def forget(self, user: str) -> int:
        """Keep a user out of all trainings, snapshots and answers from now on; return in how many files they were.

        After an error, the same call goes on from there.
        """
        change(self.folder.forgotten, lambda before: before.with_user(user))
        users = Forgotten.load(self.folder.forgotten)
        for prepared in self.folder.runs.glob(f"*/{OUTPUT}/{WORK}"):  # of interrupted runs
            shutil.rmtree(prepared)
        made = self.folder.runs.glob(f"*/{OUTPUT}/{FOLDER}/{histories.FILE}")
        files = (self.folder.snapshots / histories.FILE, *made)
        return sum(histories.remove(file, users) for file in files if file.is_file())

    def remember(self, user: str) -> bool:
        """Let the next training read a user's rows again; returns whether they were forgotten."""
        return user in change(self.folder.forgotten, lambda before: before.without_user(user))
