"""Criteo's tab-separated rows on Spark, which only marks the wrong ones: the reader of engine local then names them."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from typing import NoReturn

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.types import StringType

from features.schema import CRITEO, Schema
from training.datasets.errors import DatasetError
from training.engines.reading.criteo import FIELDS, open_criteo
from training.engines.spark.hashes import feature
from training.engines.spark.paths import to_read
from training.engines.spark.tables import WRONG
from training.engines.spark.values import number_of
from training.kernels.columns import LABEL
from training.kernels.hashed import hashed_fields

LINE = "value"
"""Spark's column of a text file's lines."""


@dataclass(frozen=True, kw_only=True)
class SparkCriteo:
    """The rows of these files; see `training.engines.spark.source.Typed`."""

    session: SparkSession
    files: list[Path]
    schema: Schema = CRITEO
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """What a row's hash takes in, besides its number."""
        return hashed_fields(CRITEO, ())

    def typed(self, _folder: Path) -> tuple[DataFrame, Counter[str]]:
        """The rows; nothing was counted yet."""
        fields = F.split(LINE, "\t", -1)
        label, *features = (F.get(fields, F.lit(index)) for index in range(FIELDS))
        columns = dict(zip(CRITEO.features, features, strict=True))
        wrong = [F.size(fields) != FIELDS, ~label.isin("0", "1")]
        for name in CRITEO.numeric:
            text, columns[name] = columns[name], number_of(columns[name], StringType())
            wrong.append((text != "") & columns[name].isNull())
        is_wrong = reduce(or_, (F.coalesce(one, F.lit(True)) for one in wrong))  # noqa: FBT003 - a literal of Spark
        named = [column.alias(feature(CRITEO, name)) for name, column in columns.items()]
        rows = self.session.read.text([to_read(file.resolve()) for file in self.files])
        return rows.select(label.cast("int").alias(LABEL), *named, is_wrong.alias(WRONG)), Counter()

    def check(self, found: Counter[str]) -> None:
        """Raise a `DatasetError` if there are no rows, or only those of one class."""
        open_criteo(self.files).check(found)

    def explain(self, error: Exception | None) -> NoReturn:
        """Raise the `DatasetError` that names the first malformed row."""
        for piece in open_criteo(self.files).pieces:
            deque(piece.fields(), maxlen=0)
        raise DatasetError(f"Spark refuses rows of {', '.join(map(str, self.files))} ({error}).") from error
