"""A run's folder for intermediate files. What a run that was killed has finished there is found again by the next one.

A stage's files are whole when Spark's own mark lies beside them; a stage that finds its folder does not write it again.
"""

import shutil
from pathlib import Path

FOLDER = "work"
MARK = "inputs"
COMPLETE = "_SUCCESS"


def begin(folder: Path, inputs: str) -> list[str]:
    """Make `folder` ready for a run on what the hash `inputs` stands for, and return the stages that are there already.

    Files of other inputs go, and so do those of a stage that was not finished.
    """
    mark = folder / MARK
    if not mark.is_file() or mark.read_text(encoding="utf-8") != inputs:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(inputs, encoding="utf-8")
    for stage in folder.iterdir():
        if stage.is_dir() and not (stage / COMPLETE).is_file():
            shutil.rmtree(stage)
    return sorted(stage.name for stage in folder.iterdir() if stage.is_dir())
