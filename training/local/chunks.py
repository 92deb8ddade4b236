"""Rows in memory-mapped files in Arrow's IPC format, one file per task, written aside and then renamed."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

SUFFIX = ".arrow"


def write(file: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Write the batches to `file` and return their number of rows; without a batch there is no file."""
    rows, writer = 0, None
    aside = file.with_suffix(".partial")
    try:
        for batch in batches:
            writer = writer or pa.ipc.new_file(aside, batch.schema)
            writer.write_batch(batch)
            rows += batch.num_rows
    finally:
        if writer is not None:
            writer.close()
    if writer is not None:
        aside.rename(file)
    return rows


def read(file: Path) -> Iterator[pa.RecordBatch]:
    """The batches in `file`; their values stay on disk until they are used."""
    with pa.memory_map(str(file)) as mapped:
        reader = pa.ipc.open_file(mapped)
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)


def read_all(files: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    """The batches of all the files, one file after the other."""
    for file in files:
        yield from read(file)


def block(file: Path, index: int) -> pa.RecordBatch:
    """One batch of `file`."""
    with pa.memory_map(str(file)) as mapped:
        return pa.ipc.open_file(mapped).get_batch(index)


def files(folder: Path) -> tuple[Path, ...]:
    """The files in `folder`, in the order of their tasks."""
    return tuple(sorted(folder.glob(f"*{SUFFIX}")))
