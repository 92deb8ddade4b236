"""Profiles of a table's columns, from its beginning, as the basis of guesses."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from features.values import TimeFormat, is_number, microseconds
from training.datasets.described.columns import header, lists_in, require_columns
from training.datasets.described.files import files_of
from training.datasets.described.problems import no_row
from training.datasets.described.quick import SAMPLE_CHARACTERS
from training.datasets.described.sources import Source
from training.datasets.described.texts import Tables
from training.datasets.errors import GuessError
from training.datasets.guesses.written import as_written

UNIT = "\x1f"
"""The separator of lists' values in profiles: ASCII's own, which is in no text."""
IN_WORDS = (TimeFormat.ISO, TimeFormat.DAY_FIRST, TimeFormat.MONTH_FIRST)


@dataclass(frozen=True)
class ColumnProfile:
    """The distinct texts of a column, including the empty one, with their frequencies."""

    name: str
    texts: Counter[str]

    @cached_property
    def values(self) -> Counter[str]:
        """The texts that are not empty."""
        return Counter({text: count for text, count in self.texts.items() if text})

    @cached_property
    def filled(self) -> int:
        """How many fields are not empty."""
        return self.values.total()

    @property
    def is_complete(self) -> bool:
        """Whether no field is empty."""
        return "" not in self.texts

    @property
    def is_unique(self) -> bool:
        """Whether all fields are distinct and none is empty."""
        return self.is_complete and self.filled == len(self.values)

    @cached_property
    def not_numbers(self) -> Counter[str]:
        """The texts that are not numbers."""
        return Counter({text: count for text, count in self.values.items() if not is_number(text)})

    @cached_property
    def numbers(self) -> list[float]:
        """The distinct numbers, in order."""
        return sorted({float(text) for text in self.values if text not in self.not_numbers})

    @cached_property
    def time_formats(self) -> list[TimeFormat]:
        """The formats that fit every filled field, if all are times in words. Both orders of day and month fit if no
        number over 12 decides."""
        if not self.values or len(self.not_numbers) < len(self.values):
            return []
        return [form for form in IN_WORDS if all(microseconds(text, form) is not None for text in self.values)]


@dataclass(frozen=True, kw_only=True)
class TableProfile:
    """A table's columns by name, from all its rows if `whole`, else from the first `rows`."""

    source: Source
    rows: int
    whole: bool
    columns: dict[str, ColumnProfile]
    lists: list[str]
    """Columns of lists, whose values are separated by `UNIT` in the texts."""

    @property
    def path(self) -> Path:
        """The table's file or folder."""
        return self.source.paths[0]

    @property
    def shown_rows(self) -> str:
        """How many rows were profiled, in words."""
        return f"{self.rows:,} rows" if self.whole else f"the first {self.rows:,} rows"


def profile(path: Path) -> TableProfile:
    """The profile of a table; raises a `DatasetError` for a file that can't be read or has no row, and `GuessError` if
    the column names are missing.
    """
    source = as_written(path)
    files = files_of(source)
    lists, names = lists_in(files[0]), header(files[0])
    files = tuple(replace(file, lists=tuple((name, UNIT) for name in lists)) for file in files)
    if all(map(is_number, names)):
        raise GuessError(
            f"The first row of {path} must name the columns, but looks like data: {', '.join(names[:5])}. Add a header "
            "row."
        )
    require_columns(files, names)
    texts: dict[str, Counter[str]] = {name: Counter() for name in names}
    tables, rows = Tables(files, names, SAMPLE_CHARACTERS), 0
    for chunk in tables.chunks():
        rows += len(chunk.places)
        for name in names:
            texts[name].update(chunk.columns[name].to_pylist())
    if not rows:
        raise no_row(source.shown)
    columns = {name: ColumnProfile(name, counts) for name, counts in texts.items()}
    return TableProfile(source=source, rows=rows, whole=tables.whole, columns=columns, lists=lists)
