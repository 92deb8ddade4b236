"""Which column tells a click, and which one tells when."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.datasets.described.fields import is_click, is_time
from training.datasets.described.spec import Label
from training.datasets.errors import GuessError
from training.datasets.guesses.guess_columns import LeftOut
from training.datasets.guesses.profile import ColumnProfile, TableProfile
from training.datasets.guesses.roles import words

_LABELS = {
    "label": 5, "click": 5, "clicked": 5, "target": 4, "converted": 4, "conversion": 4, "purchased": 4, "bought": 4,
    "liked": 4, "like": 4, "rating": 4, "star": 4, "score": 3, "event": 3, "action": 3, "feedback": 3, "response": 3,
    "outcome": 3, "purchase": 3, "is": 1,
}  # fmt: skip
"""Words of a name and how much each speaks for a label."""
_CLICKS = (
    "click",
    "clicked",
    "buy",
    "bought",
    "purchase",
    "purchased",
    "like",
    "liked",
    "order",
    "yes",
    "y",
    "t",
    "positive",
)
"""Words that say of an event that it is a click, the likeliest first."""
_TIMES = {"time", "timestamp", "date", "datetime", "at", "when", "ts", "day", "seen", "created"}
_GOOD_OF = {5.0: 4, 10.0: 7}
"""From how many stars of so many a thing is usually called liked."""
_MAX_EVENTS = 20
_OLDEST_SECONDS, _LATEST_SECONDS = 1e8, 1e11


@dataclass(frozen=True, kw_only=True)
class LabelGuess:
    """The label's column and its rule, as the description has it, and why."""

    column: str
    rule: dict[str, object]
    why: str


def guess_label(table: TableProfile, columns: Sequence[ColumnProfile], told: str | None) -> LabelGuess:
    """The interactions' label among these columns; `told` is the column that somebody has said it is.

    Raises `GuessError` when none looks like one.
    """
    if told is not None and told not in table.columns:
        raise GuessError(f"{table.path} has no column {told!r}, only {', '.join(table.columns)}.")
    candidates = [table.columns[told]] if told is not None else columns
    ranked = sorted(candidates, key=_likeness, reverse=True)
    for column in ranked:
        if (told is not None or _likeness(column)) and (found := _rule(column)):
            return _explained(column, *found)
    named = told or ", ".join(one.name for one in columns) or "none beside the keys"
    raise GuessError(
        f"No column of {table.path} looks like a label, neither 0 and 1 nor stars nor the name of an event, among: "
        f"{named}. Say which it is: --label COLUMN. Where every row is a click, add rows that are none."
    )


def guess_timestamp(columns: Sequence[ColumnProfile]) -> tuple[tuple[str, str] | None, list[LeftOut]]:
    """The column that tells when, with the reason, and the columns that tell it and cannot be used as they are."""
    left_out = []
    for column in columns:
        times = bool(column.values) and all(map(is_time, column.values))
        numbers = column.numbers
        named = bool(_TIMES & set(words(column.name)))
        if not times or not (named or column.are_times):
            continue
        if numbers and not (numbers[0] >= _OLDEST_SECONDS and numbers[-1] < _LATEST_SECONDS):
            if numbers[0] >= _LATEST_SECONDS:
                why = f"looks like milliseconds since 1970 ({numbers[0]:.0f}): write seconds to use it as timestamp"
                left_out.append(LeftOut(column=column.name, table="interactions", why=why))
            continue
        if not column.is_complete:
            why = f"a time that {column.texts['']:,} rows lack: fill it in, or remove them, to use it as timestamp"
            left_out.append(LeftOut(column=column.name, table="interactions", why=why))
            continue
        first, last = min(column.values), max(column.values)
        form = "seconds since 1970" if numbers else "times"
        return (column.name, f"{form} in every row, from {first} to {last}"), left_out
    return None, left_out


def _likeness(column: ColumnProfile) -> int:
    """How much a column looks like a label."""
    named = max((_LABELS.get(word, 0) for word in words(column.name)), default=0)
    binary = {text.lower() for text in column.values} in ({"0", "1"}, {"true", "false"}, {"0.0", "1.0"})
    return named + 2 * binary if column.is_complete else 0


def _rule(column: ColumnProfile) -> tuple[dict[str, object], str] | None:
    """The rule that makes a column's texts 0 and 1, and why, or nothing."""
    values = {text.lower(): text for text in column.values}
    if len(values) <= 1:
        return None
    if not column.not_numbers:
        return _rule_of_numbers(column)
    if set(values) == {"true", "false"}:
        return {"equals": True}, "true and false"
    if len(values) > _MAX_EVENTS:
        return None
    for word in _CLICKS:
        if word in values:
            return {"equals": values[word]}, f"an event among {', '.join(sorted(values.values()))}"
    return None


def _rule_of_numbers(column: ColumnProfile) -> tuple[dict[str, object], str]:
    numbers = column.numbers
    if set(numbers) == {0.0, 1.0}:
        return {}, "0 and 1, so no rule is needed"
    shown = f"numbers from {numbers[0]:g} to {numbers[-1]:g}"
    if numbers[0] >= 0 and (good := _GOOD_OF.get(numbers[-1])):
        return {"at_least": good}, f"{shown}, like stars, of which {good} or more are usually called liked"
    clicks = {number: _share(column, number) for number in numbers[1:]}
    middle = min(clicks, key=lambda number: abs(clicks[number] - 0.5))
    threshold = int(middle) if middle.is_integer() else middle
    return {"at_least": threshold}, f"{shown}, cut where about half of them are above: nothing says what is liked"


def _share(column: ColumnProfile, threshold: float) -> float:
    return sum(count for text, count in column.values.items() if float(text) >= threshold) / column.filled


def _explained(column: ColumnProfile, rule: dict[str, object], why: str) -> LabelGuess:
    label = Label.model_validate({"column": column.name, **rule})
    clicks = sum(count for text, count in column.values.items() if is_click(text, label))
    return LabelGuess(
        column=column.name, rule=rule, why=f"{why}; so {clicks / column.filled:.1%} of the rows are clicks"
    )
