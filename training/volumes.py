"""Volumes of Unity Catalog, which every machine of a cluster sees as `/Volumes/CATALOG/SCHEMA/VOLUME`.

They take whole files, written from start to end: no appending, no writing at a place, no memory mapping and no locks
(Databricks' page "Work with files", on the limitations of volumes). So files are made on a machine's own disk, then
copied.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from features.errors import PersonalizationError
from training.privileges import READ, READ_AND_WRITE, not_granted

CHUNK_BYTES = 8 << 20
NAME_PARTS = 5
"""Of a volume's path: the root, `Volumes`, catalog, schema, volume."""
_REFUSED = pa.schema([("refused", pa.string())])


class VolumeError(PersonalizationError):
    """A machine of the cluster can't use a volume."""


def copy_files(source: Path, target: Path) -> None:
    """Copy the files below `source` into `target`, one after the other, without their modes and times."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as reader, copy.open("wb") as writer:
            shutil.copyfileobj(reader, writer, CHUNK_BYTES)


def try_volumes(
    session: SparkSession, *, read: Sequence[Path], written: Sequence[Path], placed: Mapping[Path, str]
) -> None:
    """Use these folders from Python on every machine; raises `VolumeError` with the first refusal.

    `placed` are the volumes of containers that the stack doesn't own, with their addresses.

    Spark reports an error of its workers as the driver's stack trace, after four attempts at each task.
    """
    tasks = session.sparkContext.defaultParallelism
    trials = _Trials(read=tuple(read), written=tuple(written), placed=tuple(placed.items()))
    refused = session.range(0, tasks, 1, tasks).mapInArrow(trials, "refused string").collect()
    if refused:
        raise VolumeError(refused[0].refused)


@dataclass(frozen=True, kw_only=True)
class _Trials:
    """One task, which yields a sentence for each refusal."""

    read: tuple[Path, ...]
    written: tuple[Path, ...]
    placed: tuple[tuple[Path, str], ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass
        trials = [(_read, folder, _not_granted("read", READ)) for folder in self.read]
        trials += [(_write, folder, _not_granted("write to", READ_AND_WRITE)) for folder in self.written]
        trials += [(_read, folder, _not_allowed(address)) for folder, address in self.placed]
        refused = [sentence for trial in trials if (sentence := _refusal(*trial))]
        yield pa.RecordBatch.from_pydict({"refused": refused}, schema=_REFUSED)


def _refusal(use: Callable[[Path], None], folder: Path, explain: Callable[[Path, OSError], str]) -> str | None:
    try:
        use(folder)
    except OSError as error:
        return explain(Path(*folder.parts[:NAME_PARTS]), error)
    return None


def _not_granted(verb: str, privileges: str) -> Callable[[Path, OSError], str]:
    return lambda volume, error: not_granted(verb, privileges, str(volume), str(error))


def _not_allowed(address: str) -> Callable[[Path, OSError], str]:
    return lambda volume, error: (
        f"The job can't read {address} by the volume {volume}: {error}. The container's owner must give the stack's "
        "access connector the role Storage Blob Data Reader on it, and admit the connector in the account's firewall "
        "if it has one; `.venv/bin/personalize bootstrap` prints the command. Then run `up` again."
    )


def _read(folder: Path) -> None:
    """Read the beginning of one file, if there is one. `Path.rglob` would pass over folders that may not be listed."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for place, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            with (Path(place) / name).open("rb") as stream:
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
