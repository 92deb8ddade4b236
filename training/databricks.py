"""The training job on Databricks: data from the lake, the same run as everywhere, and its bundle back into the lake.

The job's one parameter is a `LakeRequest`; the run works on copies. Databricks takes no notice of an
exit code, so that a run fails by an exception whose text is training's own sentence.
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
"""Written last: what is beside it is whole."""
BUNDLE = "bundle"
COMPLETE = "_SUCCESS"
LOCAL = "local"
VOLUMES = Path("/Volumes")
DISK = Path("/local_disk0")
"""A cluster machine's own disk."""


class JobFailedError(PersonalizationError):
    """A run without a bundle; the text begins with `error: `, as standard error does elsewhere."""


class ClusterError(PersonalizationError):
    """A cluster on which a run would not find its own files."""


class Files(Protocol):
    """`dbutils.fs`, as far as it is used."""

    def cp(self, source: str, target: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002 - Databricks' own
        """Copy a file, or a folder with all that is in it; paths of the driver begin with `file:`."""
        ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the request on the command line says; raises `JobFailedError`."""
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
    """`folder`, made if need be, until the end of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    folders.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _run(request: LakeRequest, files: Files, work: Path, shared: Path) -> None:
    """Train; all machines of the cluster see `shared`, the driver alone `work`."""
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
    """A folder that all machines of the cluster see. Raises `ClusterError` where workers and driver share none."""
    if request.work is None:
        raise ClusterError(
            "The cluster has workers, and the request names no folder (`work`) that they share with the driver: a "
            "volume of Unity Catalog. Run `up` again, or set `azure.training_workers` to 0 and choose a larger "
            "`azure.training_vm_size`."
        )
    return Path(request.work) / work.name


def _local(path: Path) -> str:
    """The name of a file of the driver, or of a volume, for `dbutils`."""
    return str(path) if path.is_relative_to(VOLUMES) else f"file:{path}"


if __name__ == "__main__":
    main()
