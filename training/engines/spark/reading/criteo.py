"""Criteo's tab-separated rows on Spark, parsed fast and strictly.

Spark only marks the rows that are wrong. When there are any, a second, slow pass finds the first one's file and line.
"""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark program uses

from features.schema import CRITEO
from training.datasets.described.fields import NUMBER
from training.datasets.errors import DatasetError
from training.datasets.labels import require_both_classes
from training.datasets.manifest import WHOLE
from training.datasets.published.lines import FIELDS, first_problem
from training.engines.spark.reading.checked import exactly
from training.engines.spark.reading.found import Found
from training.engines.spark.reading.source import DAY, PROBLEM, Source
from training.engines.spark.spark_paths import to_read


def open_rows(spark: SparkSession, files: Sequence[Path], days: Sequence[str] = ()) -> Source:
    """The rows of Criteo files, plain or gzip, with the columns of `CRITEO`: label int, numbers double with null for
    missing, categories string with "" for missing. `days` says which partition each file is.

    Its check raises the `DatasetError` that fits for an empty, truncated or malformed file and for labels that are all
    the same.
    """

    def check(found: Found) -> None:
        if found.rows == 0 or found.problems:
            problem = f"Spark refuses rows of {', '.join(map(str, files))}, though each line is well formed."
            raise first_problem(files) or DatasetError(problem)
        require_both_classes(", ".join(map(str, files)), rows=found.rows, clicks=found.clicks)

    return Source(
        frame=_read(spark, files, days or [WHOLE] * len(files)),
        schema=CRITEO,
        explain=lambda: first_problem(files),
        check=check,
    )


def _read(spark: SparkSession, files: Sequence[Path], days: Sequence[str]) -> DataFrame:
    of_day: dict[str, list[str]] = {}
    for file, day in zip(files, days, strict=True):
        of_day.setdefault(day, []).append(to_read(file.resolve()))
    if len(of_day) == 1:
        return _parse(spark.read.text(next(iter(of_day.values()))))
    frames = (_parse(spark.read.text(paths)).withColumn(DAY, F.lit(day)) for day, paths in of_day.items())
    return reduce(DataFrame.union, frames)


def _parse(lines: DataFrame) -> DataFrame:
    fields = lines.select(F.split("value", "\t", -1).alias("fields"))
    label, *features = (F.get("fields", F.lit(index)) for index in range(FIELDS))
    numbers, categories = features[: len(CRITEO.numeric)], features[len(CRITEO.numeric) :]
    problem = (F.size("fields") != FIELDS) | ~label.isin("0", "1")
    for number in numbers:
        problem |= ~_is_number(number)
    return fields.select(
        label.cast("int").alias(CRITEO.label),
        *(
            F.when(F.length(number) > 0, number).cast("double").alias(name)
            for name, number in zip(CRITEO.numeric, numbers, strict=True)
        ),
        *(category.alias(name) for name, category in zip(CRITEO.categorical, categories, strict=True)),
        (F.isnull(problem) | problem).alias(PROBLEM),
    )


def _is_number(text: Column) -> Column:
    """Whether a field is empty or a decimal number; whole numbers, which nearly all are, are spared the slow test."""
    decimal = text.rlike(exactly(NUMBER)) & (F.abs(text.cast("double")) < float("inf"))
    return (text == "") | text.eqNullSafe(text.cast("long").cast("string")) | decimal
