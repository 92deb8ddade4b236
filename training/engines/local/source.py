"""A dataset's rows, read from files on this machine by several processes."""

import operator
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.schema import Schema
from training.engines import chunks
from training.engines.local import tasks
from training.engines.local.numbering import number_equal_rows
from training.engines.local.rows import LocalRows, Runner
from training.engines.local.tasks import Reading
from training.engines.reading.opened import Opened
from training.kernels.hashed import NUMBER
from training.work import COMPLETE


class _Summary(msgspec.Struct, frozen=True):
    """What is kept beside the files once all of them are written."""

    found: dict[str, int]
    files: list[str]


@dataclass(frozen=True, kw_only=True)
class LocalSource:
    """See `training.protocols.Source`."""

    runner: Runner
    opened: Opened

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        return self.opened.schema

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """See `training.protocols.Source`."""
        return (*self.opened.hashed_fields, NUMBER)

    def prepare(self, folder: Path) -> tuple[LocalRows, Counter[str]]:
        """Check and hash the rows, write them to `folder` unless they are there; see `training.protocols.Source`."""
        mark = folder / COMPLETE
        if not mark.exists():
            folder.mkdir(parents=True)
            mark.write_bytes(msgspec.json.encode(self._read(folder)))
        summary = msgspec.json.decode(mark.read_bytes(), type=_Summary)
        found = Counter(summary.found)
        self.opened.check(found)
        files = tuple(folder / name for name in summary.files)
        return LocalRows(runner=self.runner, schema=self.schema, files=files), found

    def _check(self) -> None:
        """Raise the error of the first malformed row before any row is hashed, for pieces that can be checked alone.

        Threads are enough, since Arrow releases the GIL, and they start a second sooner than processes.
        """
        checks = [piece.check for piece in self.opened.pieces if piece.check is not None]
        with ThreadPoolExecutor(self.runner.processes) as threads:
            for _ in threads.map(operator.call, checks):
                pass

    def _read(self, folder: Path) -> _Summary:
        pieces = self.opened.pieces
        todo = [
            Reading(piece=piece, schema=self.schema, target=folder / f"{number:05d}{chunks.SUFFIX}")
            for number, piece in enumerate(pieces)
        ]
        with self.opened.unchanged():
            self._check()
            found = self.runner.run(tasks.read, todo)
        number_equal_rows(self.runner, chunks.files(folder))
        return _Summary(
            found=dict(sum(found, Counter[str]())),
            files=[reading.target.name for reading, own in zip(todo, found, strict=True) if own["rows"]],
        )
