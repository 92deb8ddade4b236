"""What a description says of a column's texts, held against the texts: separators that occur, values that are left."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from training.datasets.described.fields import TableRules, are_missing
from training.datasets.errors import ColumnError


@dataclass(kw_only=True)
class Use:
    """A column's fields: those that are not empty, those that are a value, those with the separator, and a value."""

    column: str
    filled: int = 0
    present: int = 0
    separated: int = 0
    example: str = ""


class Uses:
    """The use of each column of which the description says something, gathered chunk by chunk."""

    def __init__(self, rules: TableRules) -> None:
        """Nothing is counted yet."""
        self._rules = rules
        self._uses = {name: Use(column=name) for name in spoken_of(rules)}

    def add(self, columns: Mapping[str, pa.StringArray]) -> None:
        """Count the fields of more rows."""
        for name, use in self._uses.items():
            separator = self._rules.separators.get(name)
            texts = columns[name]
            present = texts.filter(pc.invert(are_missing(texts, self._rules.missing.get(name, ()))))
            use.filled += len(texts) - are_missing(texts, ()).true_count
            use.present += len(present)
            use.example = use.example or (present[0].as_py() if len(present) else "")
            if separator is not None:
                use.separated += pc.match_substring(present, separator).true_count

    @property
    def problems(self) -> list[ColumnError]:
        """What the description says and the table does not bear out."""
        found = (problem(use, self._rules) for use in self._uses.values())
        return [error for error in found if error]


def spoken_of(rules: TableRules) -> list[str]:
    """The feature columns that have a separator, or texts that mean missing beside the empty one."""
    features = (feature.name for feature in rules.features)
    return [name for name in features if name in rules.separators or rules.missing.get(name, frozenset()) > {""}]


def problem(use: Use, rules: TableRules) -> ColumnError | None:
    """The error for a column without any value left, or without its separator in any field; both need all rows."""
    if use.filled and not use.present:
        words = ", ".join(repr(word) for word in sorted(rules.missing[use.column] - {""}))
        return ColumnError(
            f"{rules.path}: no value is left in the column {use.column}: each of its {use.filled:,} filled fields is "
            f"one of the texts that mean missing ({words}). Correct `missing`, or leave the column out."
        )
    separator = rules.separators.get(use.column)
    if separator is not None and use.present and not use.separated:
        return ColumnError(
            f"{rules.path}: the separator {separator!r} is in none of the {use.present:,} fields of the column "
            f"{use.column}, which look like {use.example[:60]!r}. Correct `separator`, or leave it out."
        )
    return None
