"""A run's folder for intermediate files. After a killed run, the next one reuses the finished stages.

A stage's files are complete if Spark's mark `_SUCCESS` is beside them.
"""

import shutil
from pathlib import Path

FOLDER = "work"
MARK = "inputs"
COMPLETE = "_SUCCESS"


def begin(folder: Path, inputs: str) -> list[str]:
    """Prepare `folder` for a run on the inputs with this hash, and return the stages that are finished already.

    Files of other inputs and of unfinished stages are removed.
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
