"""Puts the snapshots that a training run wrote where the stack's service follows them."""

import os
from pathlib import Path

from features.files import written_aside
from recommend import catalogue, histories
from recommend.stored import FOLDER
from steps.shared.folders import StackFolder


def publish(output: Path, folder: StackFolder) -> None:
    """Publish what the run in `output` has read; histories of a dataset without users are removed.

    Raises `SnapshotError` if the disk is full; what served goes on serving.
    """
    made, target = output / FOLDER, folder.snapshots / histories.FILE
    if not (made / histories.FILE).is_file():
        target.unlink(missing_ok=True)
        return
    catalogue.after_training(made / catalogue.FILE, folder.snapshots / catalogue.FILE)
    with written_aside(target) as aside:
        os.link(made / histories.FILE, aside)
