"""Guesses the role of each column that is not a key: label, timestamp, number, category, several values, or unused."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from features.hashing import split_values
from features.values import UNITS, TimeFormat, is_number, microseconds
from training.config import POSITIVES, Label
from training.errors import GuessError
from training.init_data.profile import MISSING, UNIT, ColumnProfile, TableProfile, words
from training.tables.typed import is_click

_CODES = {"id", "code", "zip", "zipcode", "postcode", "postal", "phone", "sku", "isbn"}
_SEPARATORS = ("|", ";", "/", ", ", ",", " ")
_NEVER_IN_TEXT = ("|", ";")
_TITLES = {"title", "name", "description", "text", "titel", "bezeichnung", "beschreibung"}
_MAX_COMBINED = 0.9
"""Texts that are different in more than this share of the fields are titles, and not several values each."""
_MARKED = re.compile(r"^https?://|</?[a-zA-Z][^<]*>")
_MAX_WORDS = 3
_MAX_WRONG = 0.05
_MAX_DISTINCT = 0.5
"""A column with more distinct values than this share of its fields says nothing about other rows."""
_FEW_ROWS = 20
_MIN_SEPARATED = 0.1
_SHOWN_CHARACTERS = 40
_MIN_USES = 5
"""How often the values of a column with several values must occur, on average."""


class Line(NamedTuple):
    """A line of the config and the reason for it."""

    name: str
    value: Any
    why: str


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What becomes of a column, and why: a feature of this kind, or nothing. `separator` is that of several values per
    field, and `length` the numbers in a list.
    """

    column: str
    table: str
    why: str
    kind: Literal["", "numeric", "categorical"] = ""
    missing: tuple[str, ...] = ()
    separator: str | None = None
    length: int | None = None


Decide = Callable[..., Decided]
"""Decides about a column, given the reason and what it is."""


def decide_on(column: ColumnProfile, table: TableProfile) -> Decided:
    """The role of a column."""
    decide = partial(Decided, column=column.name, table=table.path.name)
    if column.name in table.lists:
        return _as_list(column, decide)
    missing = tuple(sorted(text for text in column.values if text in MISSING))
    present = Counter({text: count for text, count in column.values.items() if text not in missing})
    if len(present) <= 1:
        return decide(why="is empty" if not present else f"is always {_shown(next(iter(present)))}")
    if (marked := [text for text in present if _MARKED.search(text)]) and len(marked) > len(present) / 2:
        return decide(why=f"holds addresses or HTML, such as {_shown(marked[0])}")
    if column.time_formats:
        return decide(why="a date or a time: under `times`, its age, hour and weekday are features")
    if any("," in text for text in present) and all(map(_is_number_with_comma, present)):
        longest = _shown(max(present, key=len))
        return decide(why=f"has numbers with a comma ({longest}): write them only with a decimal point")
    decide_of_texts = partial(decide, missing=missing)
    return (
        _as_number(column, decide)
        or _as_several(column, present, decide_of_texts)
        or _as_category(present, decide_of_texts)
    )


def _as_list(column: ColumnProfile, decide: Decide) -> Decided:
    """Lists as several values, or as many numbers if all have the same length of them."""
    lists = [text.split(UNIT) for text in column.values]
    parts = {part for one in lists for part in one}
    lengths = {len(one) for one in lists}
    if len(lengths) == 1 and (length := lengths.pop()) > 1 and all(map(is_number, parts)):
        return decide(why=f"lists of {length} numbers", kind="numeric", length=length)
    separator = next((sign for sign in _SEPARATORS if not any(sign in part for part in parts)), None)
    if separator is None:
        return decide(why="holds lists whose values contain all usual separators")
    if len(parts) <= 1:
        return decide(why="holds empty lists")
    why = f"lists of {len(parts):,} different values; requests separate them by {separator!r}"
    return decide(why=why, kind="categorical", separator=separator)


def _as_number(column: ColumnProfile, decide: Decide) -> Decided | None:
    wrong = column.not_numbers
    few_wrong = len(wrong) <= _MAX_WORDS and wrong.total() <= _MAX_WRONG * column.filled
    all_missing = set(wrong) <= MISSING and wrong.total() < column.filled
    is_code = _CODES & set(words(column.name)) or any(
        text[0] == "0" and text.isdigit() and len(text) > 1 for text in column.values
    )
    if is_code or not (few_wrong or all_missing):
        return None
    numbers = column.numbers
    why = f"{len(numbers):,} different numbers from {numbers[0]:g} to {numbers[-1]:g}"
    if wrong:
        why += f"; {wrong.total():,} of {column.filled:,} fields are none"
    return decide(why=why, kind="numeric", missing=tuple(sorted(wrong)))


def _is_number_with_comma(text: str) -> bool:
    """Whether it is a number as in `1.234,50` or `1,234.50`, or without a comma."""
    return is_number(text.replace(".", "").replace(",", "."))


def _as_several(column: ColumnProfile, present: Counter[str], decide: Decide) -> Decided | None:
    """A feature with several values, if enough fields have a separator and the parts recur in other combinations."""
    is_title = _TITLES & {*words(column.name)} or len(present) > _MAX_COMBINED * present.total() > _FEW_ROWS
    for separator in _NEVER_IN_TEXT if is_title else _SEPARATORS:
        with_it = sum(count for text, count in present.items() if separator in text)
        if with_it < _MIN_SEPARATED * present.total():
            continue
        parts: Counter[str] = Counter()
        for text, count in present.items():
            parts.update({part: count for part in split_values(text, separator) if part})
        if parts and _come_again(parts, present, separator):
            why = (
                f"{len(parts):,} different values between {separator!r}, several in {with_it:,} of "
                f"{present.total():,} fields, such as {_shown(max(present, key=len))}"
            )
            return decide(why=why, kind="categorical", separator=separator)
    return None


def _come_again(parts: Counter[str], present: Counter[str], separator: str) -> bool:
    """Whether the parts of fields are values, and not words of a text that contains the separator by chance."""
    uses = parts.total() / len(parts)
    return uses > 1 if separator in _NEVER_IN_TEXT else uses >= _MIN_USES and len(parts) < len(present)


def _as_category(present: Counter[str], decide: Decide) -> Decided:
    many, shown = f"{len(present):,} different values", ", ".join(_shown(text) for text, _ in present.most_common(3))
    if len(present) > _MAX_DISTINCT * present.total() and present.total() > _FEW_ROWS:
        return decide(why=f"has {many} in {present.total():,} fields ({shown}): nearly unique")
    return decide(why=f"{many}, mostly {shown}", kind="categorical")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")


LABELS = {
    "label": 5, "click": 5, "clicked": 5, "target": 4, "converted": 4, "conversion": 4, "purchased": 4, "bought": 4,
    "liked": 4, "like": 4, "rating": 4, "star": 4, "score": 3, "event": 3, "action": 3, "feedback": 3, "response": 3,
    "outcome": 3, "purchase": 3, "behavior": 3, "behaviour": 3,
}  # fmt: skip
"""Words in a column's name, and how much each speaks for a label."""
_FLAGS = {"is", "has", "was"}
"""Words in the names of columns that are no label, such as `is_gift`, unless another word says so."""
_BOUGHT = {"buy", "bought", "purchase", "purchased", "order", "transaction"}
_STRENGTHS = (
    {*_BOUGHT, "ordered", "sale", "sold", "conversion", "kauf", "gekauft", "bestellung", "bestellt"},
    {"checkout", "kasse"},
    {"cart", "basket", "addtocart", "warenkorb"},
    {"wishlist", "wish", "fav", "favorite", "favourite", "save", "saved", "like", "merkzettel", "wunschliste"},
    {"click", "view", "viewed", "pageview", "detail", "visit", "pv", "klick", "ansicht", "aufruf", "angesehen"},
)
"""Words in the names of a shop's events, the strongest first."""
_UNDONE = {"remove", "removed", "delete", "deleted", "cancel", "cancelled", "refund", "return", "list", "entfernt"}
_SHOWN_ONLY = {"impression", "shown", "display", "exposure"}
"""Words in the names of events that say that an item was shown: those without a click are negatives."""
_WEAK = 3
"""The place in `_STRENGTHS` from which on events are no purchases."""
_NAMED = 3
"""How likely a label a column of orders must be by its name: these usually have none."""
_CLICKED = {"click", "clicked", "like", "liked", "yes", "y", "t", "positive"}
"""Names of events that count as a click, unless there is nothing beside them and purchases."""
TIMES = {"time", "timestamp", "date", "datetime", "at", "when", "ts", "day", "seen", "created"}
TIMES |= {"datum", "zeit", "zeitpunkt", "zeitstempel"}
_OTHER_TIMES = {"birth", "birthday", "birthdate", "born", "dob", "release"}
_OTHER_TIMES |= {"released", "expiry", "expire", "expiration"}
_OTHER_TIMES |= {"since", "valid", "geburt", "geburtsdatum", "erscheinungsdatum"}
"""Words in the names of times at which nobody chose anything."""
_LATER = {"limit", "due", "approved", "paid", "sent", "shipping", "shipped", "delivery", "delivered", "fulfilled"}
_LATER |= {"estimated", "updated", "modified", "cancelled", "refunded", "answer"}
"""Words in the names of times after a choice, which are taken if there is no other."""
_FEW_DAYS = 31
"""A column of days has more numbers than this: with fewer it may be the day of a month."""
_GOOD_OF = {5.0: 4, 10.0: 7}
"""By highest rating: from which rating on an item usually counts as liked."""
_RATINGS = {"rating", "star", "score"}
_MAX_EVENTS = 20
_NUMBERS_FROM, _NUMBERS_BELOW = 1e14, 1e17
"""Numbers are taken for times from 1973 to 5138, in microseconds."""
_MOST_DAYS = 100_000
_ORDERS = {TimeFormat.DAY_FIRST: "day", TimeFormat.MONTH_FIRST: "month"}


@dataclass(frozen=True, kw_only=True)
class TimestampGuess:
    """The timestamp's column, its format, and why it is taken."""

    column: str
    format: TimeFormat
    why: str

    def line(self, label: "LabelGuess") -> Line:
        """The line of the config."""
        is_usual = self.format is TimeFormat.ISO
        value = self.column if is_usual else {"column": self.column, "format": str(self.format)}
        return Line("timestamp", value, self.why + "; `split: time` holds out the latest" * (not label.of_choices))


@dataclass(frozen=True, kw_only=True)
class LabelGuess:
    """The label's column and its rule, as in the config, and why; the column is empty if every row is positive."""

    column: str
    rule: dict[str, Any]
    why: str

    @property
    def choice(self) -> list[str]:
        """The events of a shop, the strongest first."""
        return list(self.rule.get("choice", []))

    @property
    def of_choices(self) -> bool:
        """Whether all rows are choices, so that there is a recommender and no click model."""
        return not self.column or bool(self.choice)

    @property
    def is_rating(self) -> bool:
        """Whether it is what a user thought of an item after choosing it."""
        return "at_least" in self.rule and bool(_RATINGS & {*words(self.column)})


def guess_label(
    table: TableProfile, columns: Sequence[ColumnProfile], told: str | None, *, recommends: bool, are_orders: bool
) -> LabelGuess:
    """The interactions' label among these columns; `told` is a given label column, or `positives`.

    `recommends` is whether there are keys of users and of items. Raises `GuessError` when no column looks like a label
    and there are not.
    """
    if told == POSITIVES and told not in table.columns and recommends:
        return LabelGuess(column="", rule={}, why=f"as `--label {POSITIVES}` says")
    if told not in {None, POSITIVES, *table.columns}:
        raise GuessError(f"{table.path} has no column {told!r}, only {', '.join(table.columns)}.")
    candidates = columns if told is None else [table.columns[name] for name in (told,) if name in table.columns]
    needed = _NAMED if are_orders else 0
    ranked = sorted(candidates, key=lambda column: _likeness(column, needed), reverse=True)
    for column in ranked:
        if told is None and not _likeness(column, needed):
            continue
        if recommends and (choice := _choice(column)):
            counted = ", ".join(f"{column.values[event]:,} {event}" for event in choice)
            why = f"events of a shop, the strongest first: {counted}"
            return LabelGuess(column=column.name, rule={"choice": choice}, why=why)
        if found := _rule(column):
            return _explained(column, *found)
    if told is None and recommends:
        why = "no column says what came of a row (if one does, add --label COLUMN)"
        return LabelGuess(column="", rule={}, why=why)
    named = ", ".join(one.name for one in candidates or columns) or "none beside the keys"
    raise GuessError(
        f"No column of {table.path} looks like a label (0 and 1, ratings, or names of events), among: {named}. Name it "
        "with --label COLUMN, or, if every row is a choice, such as a purchase, the columns with the keys of users and "
        "of items with --user-key COLUMN and --item-key COLUMN."
    )


def _choice(column: ColumnProfile) -> list[str]:
    """The events of a shop in a column, the strongest first; none unless some want an item more than others do."""
    if len(column.values) > _MAX_EVENTS or any(_SHOWN_ONLY & {*words(event)} for event in column.values):
        return []
    strengths = {
        event: strength
        for event in column.values
        if not _UNDONE & {*words(event)}
        for strength in [next((place for place, said in enumerate(_STRENGTHS) if said & {*words(event)}), None)]
        if strength is not None
    }
    if len({*strengths.values()}) == 1 or min(strengths.values(), default=len(_STRENGTHS)) >= _WEAK:
        return []
    return sorted(strengths, key=lambda event: (strengths[event], event))


def guess_timestamp(
    table: TableProfile, columns: Sequence[ColumnProfile], *, of_choices: bool
) -> tuple[TimestampGuess | None, list[Decided]]:
    """The timestamp among these columns of the interactions, and those of times that can't be used: some rows lack
    them, or they can't be read.
    """
    left_out = []
    at_choice = [one for one in columns if not _OTHER_TIMES & {*words(one.name)}]
    at_choice.sort(key=lambda one: bool(_LATER & {*words(one.name)}))
    for column in at_choice:
        form = _time_format(column)
        if form is None:
            continue
        if not column.is_complete:
            lacking = "1 row lacks" if (count := column.texts[""]) == 1 else f"{count:,} rows lack"
            why = f"a time that {lacking}: fill it in, or remove them, to use it as timestamp"
            left_out.append(Decided(column=column.name, table=table.path.name, why=why))
            continue
        return TimestampGuess(column=column.name, format=form, why=_why(column, form)), left_out
    for column in columns:
        if of_choices and column.is_complete and _counts_orders(column):
            why = f"no time, but each user's orders are counted, from 1 to {column.numbers[-1]:g}"
            return TimestampGuess(column=column.name, format=TimeFormat.DAYS, why=why), left_out
    for column in at_choice:
        is_unread = TIMES & {*words(column.name)} and not _time_format(column) and len(column.values) > 1
        if is_unread and (of_choices or not decide_on(column, table).kind):
            strange = (text for text in column.values if all(microseconds(text, form) is None for form in TimeFormat))
            shown = _shown(next(strange, min(column.values)))
            why = f"named like a time, but {shown} is not one that can be read: write it like 2026-01-31 23:59:00"
            left_out.append(Decided(column=column.name, table=table.path.name, why=why))
    return None, left_out


def _time_format(column: ColumnProfile) -> TimeFormat | None:
    """A column's time format, or None; numbers count only if the column's name suggests a time."""
    if column.time_formats:
        return column.time_formats[0]
    numbers = column.numbers
    if column.not_numbers or not numbers or not TIMES & set(words(column.name)):
        return None
    first, last = numbers[0], numbers[-1]
    for form, unit in UNITS.items():
        if form is not TimeFormat.DAYS and first * unit >= _NUMBERS_FROM and last * unit < _NUMBERS_BELOW:
            return form
    is_whole = all(one.is_integer() for one in numbers)
    is_days = "day" in words(column.name) and len(numbers) > _FEW_DAYS and is_whole and first >= 0 and last < _MOST_DAYS
    return TimeFormat.DAYS if is_days else None


def _counts_orders(column: ColumnProfile) -> bool:
    """Whether it counts the orders of each user: all begin with 1, and fewer come to each higher number."""
    is_named = {"order", "number"} <= {*words(column.name)} and not column.not_numbers
    return is_named and column.numbers[:2] == [1, 2] and column.values["1"] >= column.values["2"] > 1


def _why(column: ColumnProfile, form: TimeFormat) -> str:
    texts = sorted(column.values, key=lambda text: microseconds(text, form) or 0)
    if form is TimeFormat.DAYS:
        return f"{len(column.numbers):,} whole days, from {texts[0]} to {texts[-1]}, which order the rows"
    span = f"in every row, from {texts[0]} to {texts[-1]}"
    if form in _ORDERS:
        others = [other for other in _ORDERS if other is not form]
        deciding = next((text for text in texts if microseconds(text, others[0]) is None), None)
        if deciding is None:
            return (
                f"dates {span}. No number over 12 tells day from month: the {_ORDERS[form]} is assumed to come first. "
                f"Write `format: {others[0]}` if the {_ORDERS[others[0]]} does"
            )
        return f"dates with the {_ORDERS[form]} first, as {deciding} shows, {span}"
    unit = "seconds" if form is TimeFormat.ISO else form
    return f"{'times' if column.time_formats else f'{unit} since 1970'} {span}"


def _likeness(column: ColumnProfile, needed: int = 0) -> int:
    """A score of how much a column looks like a label, 0 if its name alone does less than `needed`."""
    if column.is_complete and _choice(column):
        return max(LABELS.values()) + 1
    named = max((LABELS.get(word, 0) for word in words(column.name)), default=0)
    binary = {text.lower() for text in column.values} in ({"0", "1"}, {"true", "false"}, {"0.0", "1.0"})
    said = {*words(column.name)}
    if not column.is_complete or named < needed or (not named and _FLAGS & said) or "verified" in said:
        return 0
    is_rating = bool(_RATINGS & said) and not column.not_numbers and max(column.numbers, default=0) in _GOOD_OF
    return named + 2 * (binary + is_rating)


def _rule(column: ColumnProfile) -> tuple[dict[str, object], str] | None:
    """The rule that turns a column's texts into 0 and 1, and why, or None."""
    values = {text.lower(): text for text in column.values}
    if len(values) <= 1:
        return None
    if not column.not_numbers:
        return _rule_of_numbers(column)
    if set(values) == {"true", "false"}:
        return {"equals": True}, "true and false"
    if len(values) > _MAX_EVENTS:
        return None
    return _rule_of_events(sorted(column.values))


def _rule_of_events(events: Sequence[str]) -> tuple[dict[str, object], str] | None:
    """The events in two lists: clicks and purchases against the rest, or purchases against clicks."""
    for words_of_clicks in (_BOUGHT | _CLICKED, _BOUGHT):
        positive = [event for event in events if event.lower() in words_of_clicks]
        negative = [event for event in events if event not in positive]
        if positive and negative:
            return {"positive": positive, "negative": negative}, "events by their names"
    return None


def _rule_of_numbers(column: ColumnProfile) -> tuple[dict[str, object], str]:
    numbers = column.numbers
    if set(numbers) == {0.0, 1.0}:
        return {}, "0 and 1, so no rule is needed"
    shown = f"numbers from {numbers[0]:g} to {numbers[-1]:g}"
    if numbers[0] >= 0 and (good := _GOOD_OF.get(numbers[-1])):
        return {"at_least": good}, f"{shown}, like ratings, of which {good} or more usually count as liked"
    clicks = {number: _share(column, number) for number in numbers[1:]}
    middle = min(clicks, key=lambda number: abs(clicks[number] - 0.5))
    threshold = int(middle) if middle.is_integer() else middle
    return {"at_least": threshold}, f"{shown}, cut so that about half are above, since no rating scale is known"


def _share(column: ColumnProfile, threshold: float) -> float:
    return sum(count for text, count in column.values.items() if float(text) >= threshold) / column.filled


def _explained(column: ColumnProfile, rule: dict[str, object], why: str) -> LabelGuess:
    label = Label.model_validate({"column": column.name, **rule})
    clicks = sum(count for text, count in column.values.items() if is_click(text, label))
    return LabelGuess(
        column=column.name, rule=rule, why=f"{why}; so {clicks / column.filled:.1%} of the rows are clicks"
    )
