"""The engine that runs in processes on this machine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from recommend.forgotten import NOBODY, Forgotten
from recommend.learning import AlternatingLeastSquares
from training.datasets.progress import Reporter
from training.engines.local.pool import Pool, cores
from training.engines.local.source import LocalSource
from training.engines.reading.sources import open_source
from training.parameters import Dataset, EngineName
from training.progress import Progress

Task = TypeVar("Task")
Answer = TypeVar("Answer")
BYTES_OF_ONE_PROCESS = 60_000_000
"""Bytes of data, about 250,000 Criteo rows, up to which one process finishes before others would have started."""


MEMORY_OF_A_PROCESS = 400 << 20
"""The most that a process needs for rows of Criteo's shape, whatever their number: two blocks and the counts of some
columns."""


def processes_for(data_size: int, *, memory_gib: int, cores: int) -> int:
    """How many processes share `data_size` bytes of data, 0 if unknown."""
    if 0 < data_size <= BYTES_OF_ONE_PROCESS:
        return 1
    return max(1, min(cores, (memory_gib << 30) // MEMORY_OF_A_PROCESS))


class LocalEngine:
    """See `training.protocols.TrainingEngine`."""

    name = EngineName.LOCAL
    libraries: Mapping[str, str] = {}

    def __init__(self, *, data_size: int, memory_gib: int = 6, processes: int | None = None) -> None:
        """For `data_size` bytes of data, 0 if unknown. The default is one process per core, as far as memory allows."""
        self._pool = Pool(processes or processes_for(data_size, memory_gib=memory_gib, cores=cores()))
        self._report: Callable[[int, int], None] = _silent

    @property
    def processes(self) -> int:
        """How many tasks run at a time."""
        return self._pool.processes

    def run(self, function: Callable[[Task], Answer], todo: Sequence[Task]) -> list[Answer]:
        """The answers, in the order of the tasks; reports how many are done."""
        answers = []
        for answer in self._pool.map(function, todo):
            answers.append(answer)
            self._report(len(answers), len(todo))
        return answers

    @contextmanager
    def stage(self, progress: Progress, name: str, detail: str) -> Iterator[None]:
        """Report the start of a stage, and how many of its tasks are done."""

        def report(done: int, total: int) -> None:
            if total > 1:
                progress(name, f"{detail}, {done} of {total} tasks", done=done, total=total)

        with progress.stage(name, detail):
            self._report = report
            try:
                yield
            finally:
                self._report = _silent

    def open_source(
        self, dataset: Dataset, data: Path | None, report: Reporter, passed_over: Forgotten = NOBODY
    ) -> LocalSource:
        """The dataset's rows, from its copy in the folder `data` or, if that is None, from its source."""
        return LocalSource(runner=self, opened=open_source(dataset, data, report, passed_over))

    def factors(self, seed: int) -> AlternatingLeastSquares:
        """By the library `implicit`, in this process."""
        return AlternatingLeastSquares(seed=seed)

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def _silent(_done: int, _total: int) -> None:
    pass
