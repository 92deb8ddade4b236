"""Criteo's tab-separated rows on Spark."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from features.schema import CRITEO, Schema
from training.datasets.errors import DatasetError
from training.engines.reading.criteo import open_criteo, parse
from training.engines.reading.opened import hashed_rows
from training.engines.spark.converted import converted
from training.engines.spark.files import LINE, joined
from training.engines.spark.paths import to_read
from training.kernels.hashed import hashed_fields, types_of


@dataclass(frozen=True, kw_only=True)
class SparkCriteo:
    """The rows of these files; see `training.engines.spark.source.Unhashed`."""

    session: SparkSession
    files: list[Path]
    schema: Schema = CRITEO

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """See `training.protocols.Source`."""
        return hashed_fields(CRITEO, ())

    def hashed(self, _folder: Path) -> tuple[DataFrame, Counter[str]]:
        """The rows, hashed; nothing was counted yet."""
        lines = self.session.read.text([to_read(file.resolve()) for file in self.files], lineSep="\n")
        return converted(lines, _hashed, types_of(CRITEO)), Counter()

    def check(self, found: Counter[str]) -> None:
        """Raise a `DatasetError` if there are no rows, or only those of one class."""
        open_criteo(self.files).check(found)

    def explain(self, cause: object) -> NoReturn:
        """Raise the `DatasetError` that names the first malformed row."""
        for piece in open_criteo(self.files).pieces:
            deque(piece(), maxlen=0)
        raise DatasetError(f"Spark refuses rows of {', '.join(map(str, self.files))} ({cause}).")


def _hashed(lines: pa.RecordBatch) -> tuple[pa.RecordBatch, Mapping[str, int]]:
    return hashed_rows(parse(joined(lines.column(LINE))), CRITEO)
