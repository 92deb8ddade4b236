"""The engine that runs in processes on this machine: it reads a dataset's rows, keeps them in files, and runs kernels.

Equal rows of a whole dataset are numbered, so that each is split and sampled on its own: rows with the same record hash
are equal in keys, time and all fields, and would else all fall on one side. Tasks of worker processes can be pickled.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.schema import Schema
from training.config import TablesSpec
from training.kernels.columns import LABEL, RECORD_HASH
from training.kernels.count import ValueCounts
from training.kernels.encode import FoldEncoder, out_of_fold
from training.kernels.hashed import numbered
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.local import chunks
from training.local.counting import Counting, LocalCounts
from training.local.fitting import fit
from training.local.pool import Pool, cores
from training.local.selection import ALL, Selection, division
from training.model.fitted import Fitted
from training.parameters import EngineName, TrainingParameters
from training.progress import Progress
from training.tables.columns import table_rules
from training.tables.progress import Reporter
from training.tables.reading import Piece, check, hashed_rows, opened, unchanged
from training.tables.typed import TableRules
from training.work import COMPLETE


def read_piece(piece: Piece, schema: Schema, target: Path) -> Counter[str]:
    """Read one piece of a dataset, hash its rows, and write them to `target`; returns what was counted meanwhile."""
    found = Counter[str]()

    def batches() -> Iterator[pa.RecordBatch]:
        for fields in piece():
            rows, counted = hashed_rows(fields, schema)
            found.update(counted)
            yield rows

    chunks.write(target, batches())
    return found


def rehash(file: Path, places: npt.NDArray[np.int64], again: npt.NDArray[np.int64]) -> None:
    """Give the rows at these places of a file, int64[m] ascending, other record hashes, int64[m]."""

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in chunks.read(file):
            own = slice(*np.searchsorted(places, [start, start + len(batch)]))
            hashes = batch.column(RECORD_HASH).to_numpy().copy()
            hashes[places[own] - start] = again[own]
            columns = [pa.array(hashes) if name == RECORD_HASH else batch.column(name) for name in batch.schema.names]
            yield pa.RecordBatch.from_arrays(columns, schema=batch.schema)
            start += len(batch)

    chunks.write(file, batches())


def run_scan(files: Sequence[Path], selection: Selection, kernel: Kernel) -> list[pa.RecordBatch]:
    """What the kernel's function gives over the selected rows of these files."""
    return list(kernel.function(selection.of(chunks.read_all(files), kernel.columns)))


def write_scan(files: Sequence[Path], selection: Selection, kernel: Kernel, target: Path) -> int:
    """Write the same to `target`; returns how many rows were written."""
    return chunks.write(target, kernel.function(selection.of(chunks.read_all(files), kernel.columns)))


def count_values(files: Sequence[Path], counting: Counting) -> list[ValueCounts]:
    """The counts of each column over rows in files."""
    return counting.of(chunks.read_all(files))


@dataclass(frozen=True, kw_only=True)
class LocalRows:
    """Rows in `files`. See `training.protocols.Rows`."""

    runner: "LocalEngine"
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
        return self.selection.of(chunks.read_all(self.files), columns)

    def scan(self, kernel: Kernel) -> pa.Table:
        """What the kernel gives over all rows, merged as the kernel says."""
        found = self.runner.run([partial(run_scan, group, self.selection, kernel) for group in self._groups()])
        return kernel.merge(pa.Table.from_batches(chain(*found), kernel.schema))

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
        found = self.runner.run([partial(count_values, self.files, counting) for counting in some])
        return LocalCounts(columns=[table for part in found for table in part], folds=parameters.folds)

    def encode(self, encoder: FoldEncoder, _parameters: TrainingParameters, folder: Path) -> "LocalRows":
        """The inputs of divided rows, one file per file of rows."""
        kernel = out_of_fold(encoder)
        if not (folder / COMPLETE).exists():
            folder.mkdir()
            self.runner.run(
                [partial(write_scan, [file], self.selection, kernel, folder / file.name) for file in self.files]
            )
            (folder / COMPLETE).touch()
        return replace(self, files=chunks.files(folder), selection=ALL)

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these encoded rows."""
        return fit(self.files, self.schema, parameters, rows=rows, progress=progress)

    def _groups(self) -> list[tuple[Path, ...]]:
        """The files in a few groups for each process, in order."""
        groups = np.array_split(np.arange(len(self.files)), min(4 * self.runner.processes, len(self.files)))
        return [tuple(self.files[index] for index in group) for group in groups]


Numbers = npt.NDArray[np.int64]


def number_equal_rows(runner: "LocalEngine", files: Sequence[Path]) -> None:
    """Give equal rows in the files different record hashes.

    A row's number counts the rows with its label before it, but is the same hash for every label: the hash must not
    tell the label. Equal rows with one label can be exchanged, so their order does not matter, and rows that are added
    later get higher numbers. This holds 17 bytes for each row of all files, and 50 for each that is not the only one of
    its kind.
    """
    types = pa.schema([(RECORD_HASH, pa.int64()), (LABEL, pa.int8())])
    tables = [pa.Table.from_batches([block.select(types.names) for block in chunks.read(file)]) for file in files]
    rows = pa.concat_tables([types.empty_table(), *tables])
    places, again = _repeated(*(rows.column(name).to_numpy() for name in types.names))
    counts = np.array([len(table) for table in tables], np.int64)
    ends = np.cumsum(counts)
    starts = ends - counts
    cuts = np.searchsorted(places, [starts, ends])
    todo = [
        partial(rehash, file, places[first:last] - start, again[first:last])
        for file, start, first, last in zip(files, starts, *cuts, strict=True)
        if first < last
    ]
    runner.run(todo)


def _repeated(hashes: Numbers, labels: npt.NDArray[np.int8]) -> tuple[Numbers, Numbers]:
    """The places of rows, int64[m] ascending, that are not the first of equal ones, and their hashes, int64[m]."""
    is_one_of_several = pc.is_in(pa.array(hashes), pa.array(_several(hashes)))
    places = np.flatnonzero(is_one_of_several.to_numpy(zero_copy_only=False))
    places = places[np.lexsort((labels[places], hashes[places]))]
    own, label = hashes[places], labels[places]
    is_first = np.ones(len(places), dtype=np.bool_)
    is_first[1:] = (own[1:] != own[:-1]) | (label[1:] != label[:-1])
    starts = np.flatnonzero(is_first)
    number = np.arange(len(places)) - np.repeat(starts, np.diff(starts, append=len(places)))
    changed = number > 0
    places, again = places[changed], numbered(own[changed], number[changed])
    order = np.argsort(places)
    return places[order], again[order]


def _several(hashes: Numbers) -> Numbers:
    """Each of the hashes that occurs more than once."""
    ordered = np.sort(hashes)
    again: Numbers = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return again


class _Summary(msgspec.Struct, frozen=True):
    """What is kept beside the files once all of them are written."""

    found: dict[str, int]
    files: list[str]


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

    def run(self, todo: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """The answers of these tasks, in their order; reports how many are done."""
        answers = []
        for answer in self._pool.map(operator.call, todo):
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

    def prepare(self, spec: TablesSpec, folder: Path, report: Reporter) -> tuple[LocalRows, Counter[str]]:
        """See `training.protocols.TrainingEngine`."""
        rules, mark = table_rules(spec), folder / COMPLETE
        if not mark.exists():
            folder.mkdir(parents=True)
            mark.write_bytes(msgspec.json.encode(self._read(spec, rules, folder)))
        summary = msgspec.json.decode(mark.read_bytes(), type=_Summary)
        found = Counter(summary.found)
        check(found, spec, rules, report)
        files = tuple(folder / name for name in summary.files)
        return LocalRows(runner=self, schema=spec.joined_schema, files=files), found

    def _read(self, spec: TablesSpec, rules: Mapping[str, TableRules], folder: Path) -> _Summary:
        with unchanged(rules):
            pieces, uses = opened(spec, rules)
            targets = [folder / f"{number:05d}{chunks.SUFFIX}" for number in range(len(pieces))]
            pairs = zip(pieces, targets, strict=True)
            found = self.run([partial(read_piece, piece, spec.joined_schema, target) for piece, target in pairs])
        number_equal_rows(self, chunks.files(folder))
        return _Summary(
            found=dict(sum(found, uses)),
            files=[target.name for target, own in zip(targets, found, strict=True) if own["rows"]],
        )

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def _silent(_done: int, _total: int) -> None:
    pass
