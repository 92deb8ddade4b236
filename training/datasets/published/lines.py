"""What is wrong with one of Criteo's rows, or with their files, in a sentence."""

from collections.abc import Sequence
from pathlib import Path

from features.schema import CRITEO
from features.values import is_number
from training.datasets.errors import EmptyDatasetError, TruncatedFileError
from training.datasets.gzipped import truncated

FIELDS = 1 + len(CRITEO.features)


def no_rows(files: Sequence[Path]) -> EmptyDatasetError:
    """The error for files without rows."""
    return EmptyDatasetError(f"There is no row in {', '.join(map(str, files))}. Give a file with rows.")


def cut_off(file: Path, line: int, error: Exception) -> TruncatedFileError:
    """The error for a file that can't be read after this line."""
    return truncated(file, f"after line {line} it cannot be read ({error})")


def complaint(line: str) -> str | None:
    """What is wrong with a row and what to do about it, or None."""
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
