"""A dataset's rows from this machine's files, read in pieces that several processes can share."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.schema import Schema
from training.datasets.errors import DatasetError
from training.engines.local import chunks, tasks
from training.engines.local.rows import LocalRows, Runner
from training.engines.local.tasks import Reading
from training.kernels.hashed import Fields
from training.parameters import TrainingParameters
from training.work import COMPLETE


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Rows that one process reads, of this day; it raises the `DatasetError` that fits for rows that are not right."""

    day: str
    fields: Callable[[], Iterable[Fields]]


class _Summary(msgspec.Struct, frozen=True):
    """What a finished reading leaves beside its files."""

    found: dict[str, int]
    files: list[tuple[str, str]]
    """The name of each file, and its day."""


@dataclass(frozen=True, kw_only=True)
class LocalSource:
    """Rows in `pieces`, from `files`; `check` raises the `DatasetError` that fits what was found in all of them."""

    runner: Runner
    schema: Schema
    pieces: Sequence[Piece]
    files: Sequence[Path]
    check: Callable[[Counter[str]], None]

    def prepare(self, parameters: TrainingParameters, folder: Path) -> tuple[LocalRows, int]:
        """Check and hash the rows, write them to `folder` unless they are there; see `training.engine.Source`."""
        mark = folder / COMPLETE
        if not mark.exists():
            folder.mkdir(parents=True)
            mark.write_bytes(msgspec.json.encode(self._read(parameters, folder)))
        summary = msgspec.json.decode(mark.read_bytes(), type=_Summary)
        self.check(Counter(summary.found))
        files = tuple(folder / name for name, _ in summary.files)
        days = tuple(day for _, day in summary.files)
        return LocalRows(runner=self.runner, schema=self.schema, files=files, days=days), Counter(summary.found)["rows"]

    def _read(self, parameters: TrainingParameters, folder: Path) -> _Summary:
        targets = (folder / f"{number:05d}{chunks.SUFFIX}" for number in range(len(self.pieces)))
        todo = [
            Reading(fields=piece.fields, schema=self.schema, parameters=parameters, target=target)
            for piece, target in zip(self.pieces, targets, strict=True)
        ]
        with _unchanged(self.files):
            found = self.runner.run(tasks.read, todo)
        return _Summary(
            found=dict(sum(found, Counter[str]())),
            files=[
                (reading.target.name, piece.day)
                for reading, piece, own in zip(todo, self.pieces, found, strict=True)
                if own["rows"]
            ],
        )


@contextmanager
def _unchanged(files: Sequence[Path]) -> Iterator[None]:
    """The block that reads `files`; raises `DatasetError` when one of them is another one at its end."""
    before = [_version(file) for file in files]
    yield
    for file, version in zip(files, before, strict=True):
        if _version(file) != version:
            raise DatasetError(f"The file {file} changed while it was read. Run the command again.")


def _version(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
