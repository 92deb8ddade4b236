"""Guesses which events make one row: those of one user and item, in one session if there are sessions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from training.datasets.described.entries import POSITIVES, Label
from training.datasets.described.fields import is_click
from training.datasets.described.files import files_of
from training.datasets.described.quick import SAMPLE_CHARACTERS
from training.datasets.described.texts import Tables
from training.datasets.guesses.guess_label import LabelGuess
from training.datasets.guesses.profile import TableProfile
from training.datasets.guesses.roles import words

_SESSIONS = {"session", "visit", "impression"}
_MIN_SHARE = 0.1
"""The least share of the rows with a positive event that must have a negative one too."""


@dataclass(frozen=True, kw_only=True)
class RowsGuess:
    """The columns of `one_row_per`, and why."""

    columns: tuple[str, ...]
    why: str


def guess_rows(table: TableProfile, keys: Sequence[str], guessed: LabelGuess) -> RowsGuess | None:
    """The columns that bring a row's events together; None if the label is no list of events, or events stay apart.

    `keys` are the columns with users and items, which it takes both.
    """
    label = Label.model_validate({"column": guessed.column, **guessed.rule} if guessed.column else POSITIVES)
    if not label.events or len(keys) < 2:  # noqa: PLR2004 - users and items
        return None
    sessions = [one.name for one in table.columns.values() if _SESSIONS & {*words(one.name)} and one.is_complete]
    columns = (*keys, *[name for name in sessions if name not in keys][:1])
    events = defaultdict[tuple[str, ...], set[bool | None]](set)
    for chunk in Tables(files_of(table.source), [*columns, label.column], SAMPLE_CHARACTERS).chunks():
        fields = (chunk.columns[name].to_pylist() for name in (*columns, label.column))
        for *key, text in zip(*fields, strict=True):
            events[tuple(key)].add(is_click(text, label))
    positive = [found for found in events.values() if True in found]
    both = sum(False in found for found in positive)
    if both < _MIN_SHARE * len(positive):
        return None
    return RowsGuess(
        columns=columns, why=f"{both:,} of {len(positive):,} with a positive event have a negative one too"
    )
