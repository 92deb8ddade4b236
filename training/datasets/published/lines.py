"""Criteo's rows line by line: slow, and only to say which one is not right, and why."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from features.schema import CRITEO
from features.values import is_number
from training.datasets.errors import DatasetError, EmptyDatasetError, MalformedRowError, TruncatedFileError
from training.datasets.gzipped import DAMAGED, is_gzip, truncated

FIELDS = 1 + len(CRITEO.features)


def first_problem(files: Sequence[Path]) -> DatasetError | None:
    """What is wrong with the files, if it is with them."""
    empty = True
    for file in files:
        number = 0
        try:
            for number, line in enumerate(_lines(file), start=1):
                empty = False
                if wrong := complaint(line):
                    return MalformedRowError(f"{file}, line {number}: {wrong}")
        except DAMAGED as error:
            return cut_off(file, number, error)
    return no_rows(files) if empty else None


def no_rows(files: Sequence[Path]) -> EmptyDatasetError:
    """The error for files without a row."""
    return EmptyDatasetError(f"There is no row in {', '.join(map(str, files))}. Give a file with rows in it.")


def cut_off(file: Path, line: int, error: Exception) -> TruncatedFileError:
    """The error for a file of which nothing can be read after so many lines."""
    return truncated(file, f"after line {line} it cannot be read ({error})")


def _lines(file: Path) -> Iterator[str]:
    opener = gzip.open if is_gzip(file) else open
    with opener(file, "rt", encoding="utf-8", errors="replace", newline="\n") as stream:
        for line in stream:
            yield line.rstrip("\r\n")


def complaint(line: str) -> str | None:
    """What is wrong with a row, as a sentence with the way out, or nothing."""
    fields = line.split("\t")
    if len(fields) != FIELDS:
        return (
            f"{len(fields)} tab-separated fields instead of {FIELDS} (a label, {len(CRITEO.numeric)} numbers, "
            f"{len(CRITEO.categorical)} categories). Correct or remove the row."
        )
    if fields[0] not in {"0", "1"}:
        return f"the label is {fields[0]!r}, but it must be 0 or 1. Correct or remove the row."
    for name, field in zip(CRITEO.numeric, fields[1:], strict=False):
        if field and not is_number(field):
            return f"{field!r} in the numeric column {name} is not a number. Correct the field or leave it empty."
    return None
