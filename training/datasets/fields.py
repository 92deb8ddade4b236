"""What the fields of a table must look like, for the slow pass that names the first wrong one.

`training.datasets.join` has the same rules as Spark expressions; a differential test holds them together.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from training.datasets.columns import delimiter, open_text
from training.datasets.errors import DatasetError, MalformedRowError, TruncatedFileError
from training.datasets.spec import Label

NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
"""A decimal number; unlike Java's parser this refuses `1d`, `0x1p3`, `NaN` and spaces."""


@dataclass(frozen=True, kw_only=True)
class TableRules:
    """The columns of one table that are used, by role; `keys` maps the joined name of a key to its column."""

    path: Path
    keys: dict[str, str]
    numeric: list[str] = field(default_factory=list)
    categorical: list[str] = field(default_factory=list)
    label: Label | None = None
    timestamp: str | None = None
    missing: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The texts that mean missing, by column, where there are others than the empty text."""

    def is_missing(self, column: str, text: str) -> bool:
        """Whether a field of a column is no value."""
        return not text or text in self.missing.get(column, ())


def complaint(fields: Mapping[str, str], rules: TableRules) -> str | None:
    """What is wrong with a row, its fields as text, as a sentence with the way out, or nothing."""
    for column in rules.keys.values():
        if not fields[column]:
            return f"the key {column} is empty. Fill it in or remove the row."
        if rules.is_missing(column, fields[column]):
            return f"the key {column} is {fields[column]!r}, which means missing. Fill it in or remove the row."
    for column in rules.numeric:
        if not rules.is_missing(column, fields[column]) and not re.match(NUMBER, fields[column]):
            return f"{fields[column]!r} in the numeric column {column} is not a number. Correct it or leave it empty."
    if rules.label and (expected := _label_expectation(fields[rules.label.column], rules)):
        return f"the label {rules.label.column} is {fields[rules.label.column]!r}, but it must be {expected}."
    if rules.timestamp and not _is_time(fields[rules.timestamp], rules):
        return (
            f"{fields[rules.timestamp]!r} in the timestamp column {rules.timestamp} is no time. "
            "Give seconds since 1970 or a form like 2026-01-31 23:59:00."
        )
    return None


def first_problem(rules: TableRules) -> DatasetError | None:
    """The error for the first wrong row of a text file, with its line, or nothing when every row is right."""
    line = 1
    try:
        for line, problem in _problems(rules):
            if problem:
                return MalformedRowError(f"{rules.path}, line {line}: {problem}")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return TruncatedFileError(
            f"The gzip file {rules.path} is truncated or damaged: after line {line} it cannot be read ({error}). "
            "Copy or download it again."
        )
    except csv.Error as error:
        return MalformedRowError(f"{rules.path}, after line {line}: {error}. Correct the row.")
    return None


def _problems(rules: TableRules) -> Iterator[tuple[int, str | None]]:
    with open_text(rules.path) as stream:
        reader = csv.reader(stream, delimiter=delimiter(rules.path))
        names = next(reader)
        before = reader.line_num
        for row in reader:
            line, before = before + 1, reader.line_num
            if len(row) > 0 and before > line:
                yield line, "a quoted field contains a line break. Remove the break."
            elif len(row) not in {0, len(names)}:
                yield line, f"{len(row)} fields instead of {len(names)}. Correct or remove the row."
            elif row:
                yield line, complaint(dict(zip(names, row, strict=True)), rules)


def _label_expectation(text: str, rules: TableRules) -> str | None:
    """What the label had to be, or nothing when it is that."""
    label = rules.label
    if label is None:
        return None
    text = "" if rules.is_missing(label.column, text) else text
    if isinstance(label.equals, str):
        return None if text else "filled in"
    if isinstance(label.equals, bool):
        return None if text.lower() in {"true", "false"} else "true or false"
    number = float(text) if re.match(NUMBER, text) else None
    if label.at_least is not None or label.equals is not None:
        return "a number" if number is None else None
    return None if number in {0, 1} else "0 or 1, or `at_least` or `equals` must say what counts as a click"


def _is_time(text: str, rules: TableRules) -> bool:
    if rules.timestamp is None or rules.is_missing(rules.timestamp, text):
        return False
    if re.match(NUMBER, text):
        return True
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
