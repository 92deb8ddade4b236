"""What the columns of a table look like, from its beginning: what guesses about a dataset go by."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from features.values import TimeFormat, is_number, microseconds
from training.datasets.described.columns import header, nested_columns
from training.datasets.described.problems import no_row
from training.datasets.described.quick import SAMPLE_CHARACTERS
from training.datasets.described.texts import Table
from training.datasets.errors import GuessError

IN_WORDS = (TimeFormat.ISO, TimeFormat.DAY_FIRST, TimeFormat.MONTH_FIRST)


@dataclass(frozen=True)
class ColumnProfile:
    """The texts of a column, the empty one among them, and how often each occurs."""

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
        """Whether no two fields are the same and none is empty."""
        return self.is_complete and self.filled == len(self.values)

    @cached_property
    def not_numbers(self) -> Counter[str]:
        """The texts that are no numbers."""
        return Counter({text: count for text, count in self.values.items() if not is_number(text)})

    @cached_property
    def numbers(self) -> list[float]:
        """The distinct numbers, in order."""
        return sorted({float(text) for text in self.values if text not in self.not_numbers})

    @cached_property
    def time_formats(self) -> list[TimeFormat]:
        """The formats in which every field that is not empty is a time in words: both orders of day and month fit
        where no number over 12 decides."""
        if not self.values or len(self.not_numbers) < len(self.values):
            return []
        return [form for form in IN_WORDS if all(microseconds(text, form) is not None for text in self.values)]


@dataclass(frozen=True, kw_only=True)
class TableProfile:
    """A table's columns by name; `whole` tells whether they are of all its rows or of the first `rows`."""

    path: Path
    rows: int
    whole: bool
    columns: dict[str, ColumnProfile]
    nested: list[str]
    """Columns of lists or structs, of which nothing more is known."""

    @property
    def shown_rows(self) -> str:
        """Of how many rows the profile speaks."""
        return f"{self.rows:,} rows" if self.whole else f"the first {self.rows:,} rows"


def profile(path: Path) -> TableProfile:
    """The profile of a table; raises the `DatasetError` that fits for a file that cannot be read or has no row, and
    `GuessError` for one without names of columns.
    """
    nested = nested_columns(path)
    names = [name for name in header(path) if name not in nested]
    if all(map(is_number, names)):
        raise GuessError(
            f"The first row of {path} must name the columns, and looks like data: {', '.join(names[:5])}. Put a row of "
            "names before it."
        )
    table = Table(path, names, SAMPLE_CHARACTERS)
    texts: dict[str, Counter[str]] = {name: Counter() for name in names}
    rows = 0
    for chunk in table:
        rows += len(chunk.places)
        for name in names:
            texts[name].update(chunk.columns[name].to_pylist())
    if not rows:
        raise no_row(path)
    columns = {name: ColumnProfile(name, counts) for name, counts in texts.items()}
    return TableProfile(path=path, rows=rows, whole=table.whole, columns=columns, nested=nested)
