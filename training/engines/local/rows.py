"""Prepared rows in files on this machine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from features.schema import Schema
from training.engines import chunks
from training.engines.counted import LocalCounts
from training.engines.counting import Counting
from training.engines.fitting import fit
from training.engines.local import tasks
from training.engines.local.tasks import Scan, Selected, Writing
from training.engines.selection import ALL, Selection, division
from training.kernels.encode import FoldEncoder, out_of_fold
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.model.fitted import Fitted
from training.parameters import TrainingParameters
from training.progress import Progress
from training.work import COMPLETE

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Runner(Protocol):
    """Runs tasks in parallel and reports how many are done."""

    @property
    def processes(self) -> int:
        """How many tasks run at a time."""
        ...

    def run(self, function: Callable[[Task], Answer], todo: Sequence[Task]) -> list[Answer]:
        """The answers, in the order of the tasks."""
        ...


@dataclass(frozen=True, kw_only=True)
class LocalRows:
    """Rows in `files`. See `training.protocols.Rows`."""

    runner: Runner
    schema: Schema
    files: tuple[Path, ...]
    selection: Selection = ALL

    def part(self, *parts: Part) -> "LocalRows":
        """The divided rows of these parts."""
        return replace(self, selection=replace(self.selection, parts=parts))

    def with_schema(self, schema: Schema) -> "LocalRows":
        """The rows with other crosses."""
        return replace(self, schema=schema)

    def batches(self, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """The rows with these columns, in this order, read in this process."""
        return self._of(self.files).batches(columns)

    def scan(self, kernel: Kernel, *, first: int | None = None) -> pa.Table:
        """What the kernel gives over all rows, or over those of the first file; merged as the kernel says."""
        groups = [self.files[:1]] if first is not None else self._groups()
        todo = [Scan(rows=self._of(group), columns=kernel.columns, function=kernel.function) for group in groups]
        batches = [batch for part in self.runner.run(tasks.scan, todo) for batch in part]
        return kernel.merge(pa.Table.from_batches(batches, kernel.schema))

    def divided(self, parameters: TrainingParameters, *, count: int) -> "LocalRows":
        """These rows, of which there are `count`, with `PART` and `FOLD`."""
        return replace(self, selection=Selection(division=division(self, self.schema, parameters, rows_in_all=count)))

    @property
    def held_out_from(self) -> int | None:
        """See `training.protocols.Rows`."""
        return self.selection.held_out_from

    def count(self, parameters: TrainingParameters, _folder: Path) -> LocalCounts:
        """The category values of divided rows."""
        columns = len(self.schema.categories)
        bounds = np.linspace(0, columns, min(self.runner.processes, columns) + 1).astype(int).tolist()
        some = (
            Counting(selection=self.selection, schema=self.schema, columns=range(*bound), folds=parameters.folds)
            for bound in pairwise(bounds)
        )
        todo = [tasks.Counting(files=self.files, counting=counting) for counting in some]
        found = self.runner.run(tasks.counted, todo)
        return LocalCounts(columns=[table for part in found for table in part], folds=parameters.folds)

    def encode(self, encoder: FoldEncoder, _parameters: TrainingParameters, folder: Path) -> "LocalRows":
        """The inputs of divided rows, one file per file of rows."""
        kernel = out_of_fold(encoder)
        if not (folder / COMPLETE).exists():
            folder.mkdir()
            scans = (
                Scan(rows=self._of((file,)), columns=kernel.columns, function=kernel.function) for file in self.files
            )
            todo = [Writing(scan=scan, target=folder / file.name) for scan, file in zip(scans, self.files, strict=True)]
            self.runner.run(tasks.write, todo)
            (folder / COMPLETE).touch()
        return replace(self, files=chunks.files(folder), selection=ALL)

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these encoded rows."""
        return fit(self.files, self.schema, parameters, rows=rows, progress=progress)

    def _of(self, files: tuple[Path, ...]) -> Selected:
        return Selected(files=files, selection=self.selection)

    def _groups(self) -> list[tuple[Path, ...]]:
        """The files in a few groups for each process, in order."""
        groups = np.array_split(np.arange(len(self.files)), min(4 * self.runner.processes, len(self.files)))
        return [tuple(self.files[index] for index in group) for group in groups]
