"""Checks what a dataset config says of a column's texts: its separator and its events occur, and some values are not
missing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from training.datasets.described.fields import TableRules, are_missing
from training.datasets.errors import ColumnError


class Uses:
    """Counts for each column with a separator or texts that mean missing, chunk by chunk.

    `counts` has the fields that are not empty ("filled NAME"), those that are a value ("present NAME"), the values
    with the separator ("separated NAME"), and the rows with each listed event of the label ("event NAME").
    """

    def __init__(self, rules: TableRules) -> None:
        """Nothing is counted yet."""
        self.counts = Counter[str]()
        self._rules = rules
        self._examples: dict[str, str] = {}

    def add(self, columns: Mapping[str, pa.StringArray]) -> None:
        """Count the fields of more rows."""
        if self._rules.label and (events := self._rules.label.events):
            for one in pc.value_counts(columns[self._rules.label.column]).to_pylist():
                if one["values"] in events:
                    self.counts[f"event {one['values']}"] += one["counts"]
        for name in spoken_of(self._rules):
            texts = columns[name]
            present = texts.filter(pc.invert(are_missing(texts, self._rules.missing.get(name, ()))))
            self.counts[f"filled {name}"] += len(texts) - (pc.sum(are_missing(texts, ())).as_py() or 0)
            self.counts[f"present {name}"] += len(present)
            if len(present):
                self._examples.setdefault(name, present[0].as_py())
            if separator := self._rules.separators.get(name):
                self.counts[f"separated {name}"] += pc.sum(pc.match_substring(present, separator)).as_py() or 0

    @property
    def problems(self) -> list[ColumnError]:
        """Errors for what the config says but the table does not show."""
        return list(problems(self.counts, self._rules, self._examples))


def spoken_of(rules: TableRules) -> list[str]:
    """The feature columns with a separator, or with texts that mean missing besides the empty one."""
    features = (feature.name for feature in rules.features)
    return [name for name in features if name in rules.separators or rules.missing.get(name, frozenset()) > {""}]


def problems(counts: Mapping[str, int], rules: TableRules, examples: Mapping[str, str]) -> Iterator[ColumnError]:
    """Errors for columns without any value, and for separators and events in no field, given the counts of all rows."""
    if rules.label:
        for event, kind in rules.label.events.items():
            if not counts.get(f"event {event}", 0):
                yield ColumnError(
                    f"{rules.shown}: the {kind} event {event!r} is in no row's {rules.label.column}. Correct "
                    f"`label.{kind}`, or leave it out."
                )
    for name in spoken_of(rules):
        filled, present = counts.get(f"filled {name}", 0), counts.get(f"present {name}", 0)
        separator = rules.separators.get(name)
        if filled and not present:
            words = ", ".join(repr(word) for word in sorted(rules.missing[name] - {""}))
            yield ColumnError(
                f"{rules.shown}: no value is left in the column {name}: each of its {filled:,} filled fields is one of "
                f"the texts that mean missing ({words}). Correct `missing`, or leave the column out."
            )
        elif separator and present and not counts.get(f"separated {name}", 0):
            yield ColumnError(
                f"{rules.shown}: the separator {separator!r} is in none of the {present:,} fields of the column "
                f"{name}, which look like {examples.get(name, '')[:60]!r}. Correct `separator`, or leave it out."
            )
