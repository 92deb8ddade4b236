"""Encoded rows in files as LightGBM takes them: the inputs stay mapped, and it keeps a byte for each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.engines import chunks
from training.kernels.columns import FEATURES, LABEL, PART, matrix
from training.kernels.split import PARTS, Part

_VALIDATION = PARTS.index(Part.VALIDATION)


class EncodedRows:
    """The rows in `files`, in their order: `label` int32[n] and `watched` bool[n], true for those of the validation."""

    def __init__(self, files: Sequence[Path], *, width: int) -> None:
        """Read all but the inputs, of which a row has `width`."""
        batches = list(chunks.read_all(files))
        self.label = np.concatenate([batch.column(LABEL).to_numpy() for batch in batches]).astype(np.int32)
        self.watched = np.concatenate([batch.column(PART).to_numpy() for batch in batches]) == _VALIDATION
        self._files = files
        self._width = width

    def inputs(self) -> list[npt.NDArray[np.float64]]:
        """The inputs of each block of rows, float64[n, width], on disk until they are used: whoever holds the arrays
        makes the machine count what was used of them as this process's memory."""
        return [matrix(batch.column(FEATURES), self._width) for batch in chunks.read_all(self._files)]

    def watched_inputs(self) -> npt.NDArray[np.float64]:
        """The inputs of the validation rows, of which there are `MAX_VALIDATION_ROWS` at most: float64[m, width]."""
        blocks = self.inputs()
        parts = np.split(self.watched, np.cumsum([len(block) for block in blocks])[:-1])
        return np.concatenate([block[watched] for block, watched in zip(blocks, parts, strict=True)])
