"""Finds where a split by time cuts, by counting rows in ever smaller intervals of time."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.values import shown_time
from training.kernels.columns import TIME
from training.kernels.kernel import Kernel
from training.kernels.split import SplitError

STEPS = 1024
Scan = Callable[[Kernel], pa.Table]
"""Returns the result of a kernel over all rows."""


def time_cut(scan: Scan, fraction: float) -> int:
    """The microsecond before which at most `fraction` of the rows lie, and up to which more of them do.

    Raises `SplitError` if all rows have the same time, or there are none.
    """
    low, high, rows = _span(scan)
    if low == high:
        every = f"the time of all of them is {shown_time(low)}" if rows else "there are no rows"
        raise SplitError(f"`split: time` needs rows of different times, but {every}. Set `split: random`.")
    before, wanted = 0, int(fraction * rows)
    while True:
        step = -(-(high - low + 1) // STEPS)
        counts = _counts(scan, low, high, step)
        through = before + np.cumsum(counts)
        place = int(np.searchsorted(through, wanted, side="right"))
        before = int(through[place] - counts[place])
        low += place * step
        high = min(high, low + step - 1)
        if low == high:
            return low


def _span(scan: Scan) -> tuple[int, int, int]:
    """The first and the last time, and how many rows there are."""
    types = pa.schema([("low", pa.int64()), ("high", pa.int64()), ("rows", pa.int64())])
    found = scan(Kernel(columns=(TIME,), schema=types, function=_spans))
    low, high, rows = (found.column(name).to_numpy() for name in types.names)
    return (int(low.min()), int(high.max()), int(rows.sum())) if len(rows) else (0, 0, 0)


def _spans(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        times = batch.column(0).to_numpy()
        if len(times):
            values = {"low": [times.min()], "high": [times.max()], "rows": [len(times)]}
            yield pa.RecordBatch.from_pydict({name: pa.array(value, pa.int64()) for name, value in values.items()})


def _counts(scan: Scan, low: int, high: int, step: int) -> npt.NDArray[np.int64]:
    """The number of rows in each interval from `low` to `high`, int64[steps]."""
    types = pa.schema([("step", pa.int64()), ("rows", pa.int64())])
    function = partial(_stepped, low=low, high=high, step=step)
    found = scan(Kernel(columns=(TIME,), schema=types, function=function, by=("step",), merged={"rows": "sum"}))
    counts = np.zeros((high - low) // step + 1, dtype=np.int64)
    counts[found.column("step").to_numpy()] = found.column("rows").to_numpy()
    return counts


def _stepped(batches: Iterable[pa.RecordBatch], *, low: int, high: int, step: int) -> Iterator[pa.RecordBatch]:
    counts = np.zeros((high - low) // step + 1, dtype=np.int64)
    for batch in batches:
        times = batch.column(0).to_numpy()
        inside = times[(times >= low) & (times <= high)]
        counts += np.bincount((inside - low) // step, minlength=len(counts))
    steps = np.flatnonzero(counts)
    yield pa.RecordBatch.from_arrays([pa.array(steps), pa.array(counts[steps])], names=["step", "rows"])
