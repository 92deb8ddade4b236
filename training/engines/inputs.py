"""Encoded rows in files, passed to LightGBM: many block by block, of which it keeps one byte per input."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.engines import chunks
from training.kernels.columns import FEATURES, LABEL, PART, matrix
from training.kernels.split import PARTS, Part
from training.model.native import lightgbm

BIN_SAMPLE_ROWS = 100_000
"""Rows from which LightGBM derives a feature's 255 bins: the fewest that give no warning. The default is twice as many.
It takes them from blocks by a call in Python each, so where there are no more rows, it gets them all as arrays."""
Inputs = npt.NDArray[np.float64]


class EncodedFiles:
    """The rows in `files`, in order: `label` int32[n], and `watched` bool[n], true for validation rows."""

    def __init__(self, files: Sequence[Path], *, width: int) -> None:
        """Read everything but the inputs; a row has `width` of them."""
        batches = list(chunks.read_all(files))
        self.label = np.concatenate([batch.column(LABEL).to_numpy() for batch in batches]).astype(np.int32)
        self.watched = np.concatenate([batch.column(PART).to_numpy() for batch in batches]) == _VALIDATION
        reader = _Reader(width)
        places = [(file, index, rows) for file in files for index, rows in enumerate(map(len, chunks.read(file)))]
        blocks = [_BlockInputs(reader, file, index, rows) for file, index, rows in places]
        few = len(self.label) <= BIN_SAMPLE_ROWS
        self.inputs: list[_BlockInputs | Inputs] = [block[:] if few else block for block in blocks]

    def watched_inputs(self) -> npt.NDArray[np.float64]:
        """The inputs of the validation rows, float64[m, width], at most `MAX_VALIDATION_ROWS`."""
        ends = np.cumsum([len(part) for part in self.inputs])
        parts = zip(self.inputs, np.split(self.watched, ends[:-1]), strict=True)
        return np.concatenate([part[:][watched] for part, watched in parts])


class _Reader:
    """Reads blocks, and keeps the last one mapped."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._block: tuple[Path, int] | None = None
        self._inputs: npt.NDArray[np.float64] = np.empty((0, width))

    def inputs(self, file: Path, index: int) -> npt.NDArray[np.float64]:
        """The inputs of one block of a file, float64[n, width]."""
        if (file, index) != self._block:
            self._block = file, index
            self._inputs = matrix(chunks.block(file, index).column(FEATURES), self._width)
        return self._inputs


class _BlockInputs(lightgbm.Sequence):
    """One block as a `lightgbm.Sequence`: LightGBM samples rows from it to find bins, then takes it as a whole."""

    def __init__(self, reader: _Reader, file: Path, index: int, rows: int) -> None:
        self.batch_size = rows
        self._reader = reader
        self._place = file, index

    def __getitem__(self, index: int | slice | list[int]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = self._reader.inputs(*self._place)[index]
        return found

    def __len__(self) -> int:
        return self.batch_size


_VALIDATION = PARTS.index(Part.VALIDATION)
