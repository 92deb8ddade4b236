"""What a training run needs of whatever reads, stores and moves its rows: `training.engines` has two of them.

What happens to rows is the same everywhere: kernels say it, and an engine says where they run.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.errors import PersonalizationError
from features.schema import Schema
from training.datasets.progress import Reporter
from training.kernels.encode import FoldEncoder, FrequentValues
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.model.fitted import Fitted
from training.parameters import Dataset, Fit, TrainingParameters
from training.progress import Progress


class CountTable(Protocol):
    """Rows and clicks of each category value by fold, wherever the table lies."""

    def values_by_rows(self, most: int) -> npt.NDArray[np.int64]:
        """How many values of each column were seen in 0, 1, 2 ... rows, int64[c, most + 1].

        The last entry counts those of more rows, too.
        """
        ...

    def frequent(self, needed_rows: npt.NDArray[np.int64]) -> FrequentValues:
        """The values of at least so many rows by column, int64[c], and all others as one pool for each column."""
        ...

    def distinct(self, index: int) -> int:
        """How many values the column has that are not missing."""
        ...

    def missing(self, index: int) -> int:
        """In how many rows the column's value is missing."""
        ...

    def most_frequent(self, index: int, number: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The hashes and rows, int64[m] each, of the column's most frequent values that are not missing."""
        ...

    def plus(self, others: Sequence[Self], folder: Path) -> Self:
        """The counts over this table and the others; what has to be written goes to `folder`, unless it is there."""
        ...

    def write(self, file: Path, *, by_fold: bool) -> None:
        """Write `column`, `hash`, `rows` and `clicks` as one Parquet file of this machine, sorted by column and hash.

        With `by_fold` it has `rows_k` and `clicks_k` of each fold k, too: then a later run can add other days to it.
        """
        ...


class Scannable(Protocol):
    """Rows that kernels can be run over."""

    def scan(self, kernel: Kernel, *, first: int | None = None) -> pa.Table:
        """What the kernel gives over all rows, or about so many of the first ones; merged as the kernel says."""
        ...


class EncodedRows(Scannable, Protocol):
    """The inputs of rows: `LABEL`, `PART`, `RECORD_HASH`, `FEATURES`."""

    def part(self, *parts: Part) -> "EncodedRows":
        """The rows of these parts."""
        ...

    def fit(self, parameters: TrainingParameters, *, rows: int, progress: Progress) -> Fitted:
        """A model of these rows, the `rows` rows of the parts fit and validation."""
        ...


class Rows(Scannable, Protocol):
    """Prepared rows, wherever they lie; `training.kernels.columns` says what they have."""

    def part(self, *parts: Part) -> "Rows":
        """The divided rows of these parts."""
        ...

    def with_schema(self, schema: Schema) -> "Rows":
        """The rows with other crosses, which are in no file: all else of the schema is as it was."""
        ...

    def day(self, day: str) -> "Rows":
        """The rows that came with this day's files."""
        ...

    def divided(self, parameters: TrainingParameters, *, count: int) -> "Rows":
        """These rows, of which there are `count`, with `PART` and `FOLD`."""
        ...

    def count(self, parameters: TrainingParameters, folder: Path) -> CountTable:
        """The category values of divided rows; what has to be written goes to `folder`, unless it is there already."""
        ...

    def known_counts(self, table: Path, parameters: TrainingParameters, folder: Path) -> CountTable:
        """What `CountTable.write` wrote by fold to the file `table` for rows like these, copied to `folder`."""
        ...

    def encode(self, encoder: FoldEncoder, parameters: TrainingParameters, folder: Path) -> "EncodedRows":
        """The inputs of divided rows, each by the rows outside of its fold, for the fit that the parameters name.

        They are written to `folder`, unless they are there already.
        """
        ...


class Source(Protocol):
    """A dataset's rows before anybody has read them: what is wrong with them shows at their first use."""

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        ...

    def prepare(self, parameters: TrainingParameters, folder: Path) -> tuple[Rows, int]:
        """Check and hash the rows, write them to `folder` unless they are there already, and say how many there are.

        Raises the `DatasetError` that fits for rows that are not right.
        """
        ...


class FitError(PersonalizationError):
    """The engine has no such fit."""


class TrainingEngine(Protocol):
    """Where a run reads its rows, and where its kernels run."""

    @property
    def name(self) -> str:
        """What the report and the bundle call it."""
        ...

    @property
    def libraries(self) -> Mapping[str, str]:
        """The versions of the libraries that it alone brings."""
        ...

    def fit_by(self, wanted: Fit) -> Fit:
        """Whose code fits here: what is wanted or, for `auto`, what is best here. Raises `FitError`."""
        ...

    def stage(self, progress: Progress, name: str, detail: str) -> AbstractContextManager[None]:
        """Report that a stage begins and, while the block lasts, how far it is."""
        ...

    def open_source(self, dataset: Dataset, data: Path | None, report: Reporter) -> Source:
        """The dataset's rows, from its copy in the folder `data` or, without one, from its source."""
        ...
