"""Synthetic rows as files in Criteo's format."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from pyarrow import csv

from training.datasets.generated import recipe, synthetic
from training.datasets.layout import part, written_aside
from training.datasets.manifest import WHOLE, Manifest, manifest
from training.datasets.progress import STAGE, Reporter
from training.parameters import SyntheticDataset

BLOCKS_PER_FILE = 10
BYTES_A_ROW = 243
"""On average."""


def describe(dataset: SyntheticDataset) -> Manifest:
    """The manifest of a synthetic dataset: the generator's version and its parameters."""
    return manifest(
        dataset.kind,
        f"{dataset.rows:,} synthetic rows, seed {dataset.seed}, generator version {recipe.VERSION}",
        (),
        size=dataset.rows * BYTES_A_ROW,
        generator=recipe.VERSION,
        rows=dataset.rows,
        seed=dataset.seed,
    )


def materialize(dataset: SyntheticDataset, folder: Path, report: Reporter) -> None:
    """Write the rows as tab-separated files into `folder`."""
    starts = range(0, synthetic.blocks(dataset.rows), BLOCKS_PER_FILE)
    with written_aside(folder) as aside:
        write = partial(_write_file, folder=aside, rows=dataset.rows, seed=dataset.seed)
        done = 0
        for rows in _each(write, starts):
            done += rows
            report(STAGE, f"{done:,} of {dataset.rows:,} synthetic rows written", done=done, total=dataset.rows)


def _each(write: Callable[[int], int], starts: Sequence[int]) -> Iterator[int]:
    """The result of `write` for each start, with one process per core unless there is only one start."""
    if len(starts) == 1:
        yield write(starts[0])
        return
    with multiprocessing.get_context("spawn").Pool(min(len(starts), os.cpu_count() or 1)) as pool:
        yield from pool.imap_unordered(write, starts)


def _write_file(start: int, *, folder: Path, rows: int, seed: int) -> int:
    path = part(folder, WHOLE, start // BLOCKS_PER_FILE, ".tsv")
    written = 0
    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with path.open("wb") as stream:
        for index in range(start, min(start + BLOCKS_PER_FILE, synthetic.blocks(rows))):
            batch = synthetic.record_batch(synthetic.generate(index, rows=rows, seed=seed))
            csv.write_csv(batch, stream, options)
            written += batch.num_rows
    return written
