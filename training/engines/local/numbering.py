"""Numbers equal rows of a whole dataset, so that each is split and sampled on its own.

Rows with the same record hash are equal in keys, time and all fields. Without numbers they would all fall on one side.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.engines import chunks
from training.engines.local.rows import Runner
from training.engines.local.tasks import Rehashing, rehash
from training.kernels.columns import LABEL, RECORD_HASH
from training.kernels.hashed import numbered

Numbers = npt.NDArray[np.int64]


def number_equal_rows(runner: Runner, files: Sequence[Path]) -> None:
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
        Rehashing(file=file, places=places[first:last] - start, hashes=again[first:last])
        for file, start, first, last in zip(files, starts, *cuts, strict=True)
        if first < last
    ]
    runner.run(rehash, todo)


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
