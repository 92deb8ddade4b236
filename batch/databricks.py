"""The same on Databricks: Spark's tasks write the parts that are missing to a volume.

Each machine copies bundle and snapshots to its own disk first, since no file on a volume can be mapped into memory.
"""

import fcntl
import json
import sys
from collections.abc import Sequence
from functools import lru_cache, partial

from pyspark.sql import SparkSession

from batch.recommendations import REPLACED, Batch, Opened, Part, divided, write_part
from batch.request import RESULT, BatchRequest
from features.errors import PersonalizationError
from features.files import write_whole, written_aside
from recommend.forgotten import Forgotten
from recommend.stored import SnapshotError
from scoring.responses import ModelName
from training.databricks import JobFailedError
from training.platform import own_disk
from training.volumes import copy_files, try_volumes

Versions = tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the request on the command line; raises `JobFailedError`."""
    (text,) = sys.argv[1:] if arguments is None else arguments
    try:
        _run(BatchRequest.model_validate_json(text), SparkSession.builder.getOrCreate())
    except PersonalizationError as error:
        raise JobFailedError(f"error: {error}") from error


def _run(request: BatchRequest, session: SparkSession) -> None:
    try_volumes(session, read=[request.bundle, *request.snapshots], written=[request.output], placed={})
    opened = Opened(_copied(request))
    users = opened.users()
    parts = divided(users, request.output)
    if missing := [part for part in parts if not part[0].exists()]:
        tasks = session.sparkContext.parallelize(missing, len(missing))
        for refusal in filter(None, tasks.map(partial(_write, request, opened.versions)).collect()):
            raise JobFailedError(refusal)
    made = {"users": len(users), "parts": [file.name for file, _ in parts]}
    write_whole(request.output / RESULT, json.dumps(made))


def _write(request: BatchRequest, versions: Versions, part: Part) -> str:
    """Write a part's file, and return why it can't be; Spark would repeat the task and show a stack trace."""
    try:
        write_part(_copied(request), versions, part)
    except PersonalizationError as error:
        return str(error)
    return ""


@lru_cache(maxsize=1)
def _copied(request: BatchRequest) -> Batch:
    """The batch on this machine's own disk, copied by the first process that needs it."""
    folder = own_disk() / f"batch-{request.output.name}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with written_aside(folder) as aside:
                aside.mkdir(mode=0o700)
                copy_files(request.bundle, aside / "bundle")
                for snapshot in request.snapshots:
                    if not snapshot.is_dir():
                        raise SnapshotError(REPLACED)
                    copy_files(snapshot, aside / "snapshots")
    return Batch(
        bundle=folder / "bundle",
        snapshots=folder / "snapshots",
        name=ModelName(name=request.model, version=request.version),
        top=request.top,
        new=request.new,
        forgotten=Forgotten.load(request.forgotten),
    )


if __name__ == "__main__":
    main()
