"""The interface between a training run and the engines that read, store and move its rows (`training.engines`).

Kernels define what happens to rows, the same on every engine; an engine decides where they run.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.schema import Schema
from training.config import TablesSpec
from training.kernels.encode import FoldEncoder, FrequentValues
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.model.fitted import Fitted
from training.parameters import TrainingParameters
from training.progress import Progress
from training.tables.progress import Reporter


class CountTable(Protocol):
    """Rows and clicks of each category value per fold, wherever the table is stored."""

    def values_by_rows(self, most: int) -> npt.NDArray[np.int64]:
        """How many values of each column occur in 0, 1, 2 ... rows, int64[c, most + 1].

        The last entry includes values with more rows.
        """
        ...

    def frequent(self, needed_rows: npt.NDArray[np.int64]) -> FrequentValues:
        """The values with at least `needed_rows` rows, int64[c] by column; the others as one pool per column."""
        ...

    def distinct(self, index: int) -> int:
        """How many distinct values the column has, without the missing value."""
        ...

    def missing(self, index: int) -> int:
        """How many rows lack a value of the column."""
        ...


class Scannable(Protocol):
    """Rows that kernels can run over."""

    def scan(self, kernel: Kernel) -> pa.Table:
        """The kernel's merged result over all rows."""
        ...


class Rows(Scannable, Protocol):
    """Prepared rows, wherever they are stored; `training.kernels.columns` names their columns. Encoded rows have
    `LABEL`, `PART`, `RECORD_HASH` and `FEATURES`.
    """

    def part(self, *parts: Part) -> "Rows":
        """The divided or encoded rows of these parts."""
        ...

    def with_schema(self, schema: Schema) -> "Rows":
        """The same rows under a schema with other crosses or factors, which are not stored."""
        ...

    def divided(self, parameters: TrainingParameters, *, count: int) -> "Rows":
        """These rows, of which there are `count`, with `PART` and `FOLD`."""
        ...

    @property
    def held_out_from(self) -> int | None:
        """From when divided rows are held out, in microseconds since 1970; None if they are not split by time."""
        ...

    def count(self, parameters: TrainingParameters, folder: Path) -> CountTable:
        """Count the category values of divided rows; stored in `folder` if needed, unless it is there already."""
        ...

    def encode(self, encoder: FoldEncoder, parameters: TrainingParameters, folder: Path) -> "Rows":
        """Encode divided rows, each by the rows outside its fold.

        The result is written to `folder`, unless it is there already.
        """
        ...

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model fitted on these encoded rows: the `rows` rows of the parts fit and validation."""
        ...


class TrainingEngine(Protocol):
    """Reads a run's rows and runs its kernels."""

    @property
    def name(self) -> str:
        """Its name in the report and the bundle."""
        ...

    @property
    def libraries(self) -> Mapping[str, str]:
        """The versions of the libraries that only this engine uses."""
        ...

    def stage(self, progress: Progress, name: str, detail: str) -> AbstractContextManager[None]:
        """Report the start of a stage and, during the block, its progress."""
        ...

    def prepare(self, spec: TablesSpec, folder: Path, report: Reporter) -> tuple[Rows, Counter[str]]:
        """Read, check, join and hash the rows of tables, and write them to `folder` unless they are there already.

        Returns what was counted, too: "rows", and others; `report` is told how many interactions are left. Raises a
        `DatasetError` for malformed rows.
        """
        ...
