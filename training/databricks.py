"""The training job on Databricks: it reads and writes the lake in place, by volumes that all machines see.

The job's only parameter is a `LakeRequest`. Databricks ignores exit codes, so a failed run raises an exception with
training's error message. Volumes of Unity Catalog, `/Volumes/CATALOG/SCHEMA/VOLUME`, take whole files, written from
start to end: no appending, no writing at a place, no memory mapping and no locks (Databricks' page "Work with files",
on the limitations of volumes). So files are made on a machine's own disk, then copied.
"""

import os
import shutil
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

from features.errors import PersonalizationError
from features.files import sha256
from recommend.published import LISTED, Published, encode, place
from recommend.published import RECORD as MADE
from recommend.stored import FOLDER as SNAPSHOTS
from training.datasets import materialize
from training.datasets.manifest import RECORD, Manifest, recorded
from training.datasets.placed.dataset import folders_of, volume_of
from training.platform import own_disk
from training.privileges import READ, READ_AND_WRITE, not_granted
from training.progress import ERROR
from training.request import LakeRequest
from training.run import end_on_signals, train

CHUNK_BYTES = 8 << 20
NAME_PARTS = 5
"""Of a volume's path: the root, `Volumes`, catalog, schema, volume."""


class VolumeError(PersonalizationError):
    """The job can't use a volume."""


def copy_files(source: Path, target: Path) -> None:
    """Copy the files below `source` into `target`, one after the other, without their modes and times."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as reader, copy.open("wb") as writer:
            shutil.copyfileobj(reader, writer, CHUNK_BYTES)


def try_volumes(*, read: Sequence[Path], written: Sequence[Path], placed: Mapping[Path, str]) -> None:
    """Use these folders; raises `VolumeError` with the first refusal.

    `placed` are the volumes of containers that the stack doesn't own, with their addresses.
    """
    for folder in [*read, *written, *placed]:
        writes = folder in written
        try:
            (_write if writes else _read)(folder)
        except OSError as error:
            volume = str(Path(*folder.parts[:NAME_PARTS]))
            if folder not in placed:
                verb, privileges = ("write to", READ_AND_WRITE) if writes else ("read", READ)
                raise VolumeError(not_granted(verb, privileges, volume, str(error))) from error
            raise VolumeError(
                f"The job can't read {placed[folder]} by the volume {volume}: {error}. The container's owner must give "
                "the stack's access connector the role Storage Blob Data Reader on it, and admit the connector in the "
                "account's firewall if it has one; `.venv/bin/personalize bootstrap` prints the command. Then run `up` "
                "again."
            ) from error


def _read(folder: Path) -> None:
    """Read the beginning of one file, if there is one. `Path.rglob` would pass over folders that may not be listed."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for found, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            with (Path(found) / name).open("rb") as stream:
                stream.read(1)
            return


def _write(folder: Path) -> None:
    """Write a file and read it again."""
    file = folder / f".trial-{uuid.uuid4().hex}"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(file.name.encode())
    try:
        if file.read_bytes() != file.name.encode():
            raise OSError(f"{file} has another content than was written to it")
    finally:
        file.unlink()


RESULT = "result.json"
"""Written last: if it is there, the bundle beside it is complete."""
BUNDLE = "bundle"
COMPLETE = "_SUCCESS"


class JobFailedError(PersonalizationError):
    """A run that left no bundle; the text begins with `error: `, as on standard error elsewhere."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the request on the command line; raises `JobFailedError`."""
    (text,) = sys.argv[1:] if arguments is None else arguments
    request = LakeRequest.model_validate_json(text)
    with ExitStack() as folders:
        own = _made(Path(mkdtemp(prefix="training-", dir=own_disk())), folders)
        try:
            _try(request)
            _run(request, own, _made(request.work / own.name, folders))
        except PersonalizationError as error:
            raise JobFailedError(f"{ERROR}{error}") from error


def _made(folder: Path, folders: ExitStack) -> Path:
    """Create `folder`; it is removed at the end of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    folders.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _try(request: LakeRequest) -> None:
    """Raise `VolumeError` if the job can't use the request's folders, before anything takes long."""
    written = [request.output, request.work, *([] if request.snapshots is None else [request.snapshots])]
    if request.fetch:
        written.append(request.data)
    read = [folder for folder in (request.data, request.champion, request.best) if folder is not None]
    listing = recorded(request.data)
    volumes = request.data.parents[1]
    placed = {volumes / volume_of(folder): str(folder) for folder in (folders_of(listing) if listing else ())}
    try_volumes(read=read, written=written, placed=placed)


def _run(request: LakeRequest, own: Path, shared: Path) -> None:
    """Train; only the driver sees `own`, all machines see `shared`."""
    if request.fetch:
        _fetch(request, own)
    listing = recorded(request.data)
    manifest = listing or Manifest(
        kind=request.dataset.kind, hash=request.manifest_hash, partitions=(), description=f"data in {request.data}"
    )
    passed_over = request.passed_over  # from now on the same
    output, target = own / "output", request.output / BUNDLE
    end_on_signals()
    result = train(request.model_copy(update={"output": output, "work": shared}), manifest)
    shutil.rmtree(target, ignore_errors=True)
    copy_files(Path(result.bundle), target)
    if request.snapshots is not None:
        made = _copy_snapshots(output / SNAPSHOTS, request.snapshots, passed_over.version)
        (request.output / MADE).write_bytes(encode(made))
    if listing is not None:  # the data's own folder goes with the next dataset, the run's stays
        (request.output / RECORD).write_bytes((request.data / RECORD).read_bytes())
    (request.output / RESULT).write_text(result.to_json(), encoding="utf-8")


def _copy_snapshots(made: Path, target: Path, listed: str) -> Published:
    """Copy the snapshots in `made`, if there are any, into folders of `target` that their hashes name.

    `listed` is the version of the list of users who are in none of them.
    """
    found = {file.name: sha256(file) for file in sorted(made.glob("*"))}
    for name, digest in found.items():
        placed = made.with_name("placed") / place(name, digest)
        placed.parent.mkdir(parents=True)
        (made / name).rename(placed)
        placed.with_name(LISTED).write_text(listed)
    copy_files(made.with_name("placed"), target)
    return found


def _fetch(request: LakeRequest, own: Path) -> None:
    """Download the dataset to the driver's disk, and copy it to the lake for all machines and later runs."""
    here = own / "data"
    os.environ.setdefault("PERSONALIZE_CACHE", str(own / "downloads"))
    materialize(request.dataset, here, wanted=request.manifest_hash)
    copy_files(here, request.data)
    (request.data / COMPLETE).write_text(request.manifest_hash, encoding="utf-8")
    for folder in (here, own / "downloads"):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
