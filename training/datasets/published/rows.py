"""Criteo's tab-separated rows on Spark, parsed fast and strictly.

Spark only marks the rows that are wrong. When there are any, a second, slow pass finds the first one's file and line.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark program uses

from features.schema import CRITEO
from training.datasets.described.checked import exactly
from training.datasets.described.fields import NUMBER
from training.datasets.errors import DatasetError, EmptyDatasetError, MalformedRowError, TruncatedFileError
from training.datasets.labels import require_both_classes
from training.datasets.manifest import WHOLE
from training.datasets.source import DAY, PROBLEM, Found, Source
from training.spark.spark_paths import to_read

_FIELDS = 1 + len(CRITEO.features)


def open_rows(spark: SparkSession, files: Sequence[Path], days: Sequence[str] = ()) -> Source:
    """The rows of Criteo files, plain or gzip, with the columns of `CRITEO`: label int, numbers double with null for
    missing, categories string with "" for missing. `days` says which partition each file is.

    Its check raises the `DatasetError` that fits for an empty, truncated or malformed file and for labels that are all
    the same.
    """

    def check(found: Found) -> None:
        if found.rows == 0 or found.problems:
            problem = f"Spark refuses rows of {', '.join(map(str, files))}, though each line is well formed."
            raise _first_problem(files) or DatasetError(problem)
        require_both_classes(", ".join(map(str, files)), rows=found.rows, clicks=found.clicks)

    return Source(
        frame=_read(spark, files, days or [WHOLE] * len(files)),
        schema=CRITEO,
        explain=lambda: _first_problem(files),
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
    label, *features = (F.get("fields", F.lit(index)) for index in range(_FIELDS))
    numbers, categories = features[: len(CRITEO.numeric)], features[len(CRITEO.numeric) :]
    problem = (F.size("fields") != _FIELDS) | ~label.isin("0", "1")
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
    return (text == "") | text.eqNullSafe(text.cast("long").cast("string")) | text.rlike(exactly(NUMBER))


def _first_problem(files: Sequence[Path]) -> DatasetError | None:
    """What is wrong with the files, if it is with them."""
    empty = True
    for file in files:
        number = 0
        try:
            for number, line in enumerate(_lines(file), start=1):
                empty = False
                if complaint := _complaint(line):
                    return MalformedRowError(f"{file}, line {number}: {complaint}")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            return TruncatedFileError(
                f"The gzip file {file} is truncated or damaged: after line {number} it cannot be read ({error}). "
                "Copy or download it again."
            )
    if empty:
        return EmptyDatasetError(f"There is no row in {', '.join(map(str, files))}. Give a file with rows in it.")
    return None


def _lines(file: Path) -> Iterator[str]:
    with file.open("rb") as probe:
        compressed = probe.read(2) == b"\x1f\x8b"
    opener = gzip.open if compressed else open
    with opener(file, "rt", encoding="utf-8", errors="replace", newline="\n") as stream:
        for line in stream:
            yield line.rstrip("\r\n")


def _complaint(line: str) -> str | None:
    """What is wrong with a row, as a sentence with the way out, or nothing."""
    fields = line.split("\t")
    if len(fields) != _FIELDS:
        return (
            f"{len(fields)} tab-separated fields instead of {_FIELDS} (a label, {len(CRITEO.numeric)} numbers, "
            f"{len(CRITEO.categorical)} categories). Correct or remove the row."
        )
    if fields[0] not in {"0", "1"}:
        return f"the label is {fields[0]!r}, but it must be 0 or 1. Correct or remove the row."
    for name, field in zip(CRITEO.numeric, fields[1:], strict=False):
        if field and not re.fullmatch(NUMBER, field):
            return f"{field!r} in the numeric column {name} is not a number. Correct the field or leave it empty."
    return None
