"""The training job on Databricks: it copies data from the data lake, trains, and copies the bundle back.

The job's only parameter is a `LakeRequest`. Databricks ignores exit codes, so a failed run raises an exception with
training's error message.
"""

import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

from pyspark.sql import SparkSession

from features.errors import PersonalizationError
from training.datasets import materialize
from training.datasets.manifest import Manifest
from training.request import LakeRequest
from training.run import train

RESULT = "result.json"
"""Written last: if it is there, the bundle beside it is complete."""
BUNDLE = "bundle"
COMPLETE = "_SUCCESS"
LOCAL = "local"
VOLUMES = Path("/Volumes")
DISK = Path("/local_disk0")
"""The local disk of a cluster machine."""


class JobFailedError(PersonalizationError):
    """A run that left no bundle; the text begins with `error: `, as on standard error elsewhere."""


class ClusterError(PersonalizationError):
    """A cluster whose machines share no folder."""


class Files(Protocol):
    """The part of `dbutils.fs` that is used."""

    def cp(self, source: str, target: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002 - Databricks' own
        """Copy a file, or a folder with its contents; paths on the driver begin with `file:`."""
        ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the request on the command line; raises `JobFailedError`."""
    (text,) = sys.argv[1:] if arguments is None else arguments
    request = LakeRequest.model_validate_json(text)
    with ExitStack() as folders:
        try:
            work = _made(Path(mkdtemp(prefix="training-", dir=DISK if DISK.is_dir() else None)), folders)
            shared = work if _driver_alone() else _made(_shared(request, work), folders)
            _run(request, _files(), work, shared)
        except PersonalizationError as error:
            raise JobFailedError(f"error: {error}") from error


def _made(folder: Path, folders: ExitStack) -> Path:
    """Create `folder`; it is removed at the end of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    folders.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _run(request: LakeRequest, files: Files, work: Path, shared: Path) -> None:
    """Train; all machines of the cluster see `shared`, only the driver sees `work`."""
    copied = request.with_copies(
        data=shared / "data",
        champion=work / "champion",
        best=work / "best",
        output=work / "output",
        work=shared / "work",
    )
    for bundle, copy in ((request.champion, copied.champion), (request.best, copied.best)):
        if bundle is not None and copy is not None:
            files.cp(bundle, _local(copy), recurse=True)
    if request.fetch:
        _fetch(request, files, work)
    if shared != work or not request.fetch:
        files.cp(request.data, _local(shared / "data"), recurse=True)
    manifest = Manifest(
        kind=request.dataset.kind, hash=request.manifest_hash, partitions=(), description=f"data in {request.data}"
    )
    result = train(copied, manifest)
    files.cp(_local(Path(result.bundle)), f"{request.output}/{BUNDLE}", recurse=True)
    written = work / RESULT
    written.write_text(result.to_json())
    files.cp(_local(written), f"{request.output}/{RESULT}")


def _fetch(request: LakeRequest, files: Files, work: Path) -> None:
    materialize(request.dataset, work / "data")
    files.cp(_local(work / "data"), request.data, recurse=True)
    mark = work / COMPLETE
    mark.write_text(request.manifest_hash)
    files.cp(_local(mark), f"{request.data}/{COMPLETE}")


def _files() -> Files:
    """The runtime's file functions."""
    spark = SparkSession.builder.getOrCreate()
    found: Files = import_module("pyspark.dbutils").DBUtils(spark).fs  # only Databricks' runtime has it
    return found


def _driver_alone() -> bool:
    return str(SparkSession.builder.getOrCreate().sparkContext.master).startswith(f"{LOCAL}[")


def _shared(request: LakeRequest, work: Path) -> Path:
    """A folder that all machines of the cluster see; raises `ClusterError` if there is none."""
    if request.work is None:
        raise ClusterError(
            "The cluster has workers, but the request names no folder that they share with the driver (`work`, a "
            "Unity Catalog volume). Run `up` again, or set `azure.training_workers` to 0 and choose a larger "
            "`azure.training_vm_size`."
        )
    return Path(request.work) / work.name


def _local(path: Path) -> str:
    """The name of a file on the driver or on a volume, for `dbutils`."""
    return str(path) if path.is_relative_to(VOLUMES) else f"file:{path}"


if __name__ == "__main__":
    main()
