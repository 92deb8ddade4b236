"""Guesses the role of a column that is not a key, label or timestamp: number, category, several values, or unused."""

from collections import Counter
from dataclasses import dataclass

from features.hashing import split_values
from features.values import is_number
from training.datasets.guesses.profile import UNIT, ColumnProfile, TableProfile
from training.datasets.guesses.roles import words

MISSING = frozenset({"NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "Null", "None", "\\N", "?", "-", "--"})
"""Texts that usually mean missing."""
_CODES = {"id", "code", "zip", "zipcode", "postcode", "postal", "phone", "sku", "isbn"}
_SEPARATORS = ("|", ";", "/", ", ", ",", " ")
_NEVER_IN_TEXT = ("|", ";")
_MAX_WORDS = 3
_MAX_WRONG = 0.05
_MAX_DISTINCT = 0.5
"""A column with more distinct values than this share of its fields says nothing about other rows."""
_FEW_ROWS = 20
_MIN_SEPARATED = 0.1
_SHOWN_CHARACTERS = 40
_MIN_USES = 5
"""How often the values of a column with several values must occur, on average."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A column to train on, and why; `separator` is set for columns with several values per field."""

    column: str
    table: str
    is_numeric: bool
    why: str
    missing: tuple[str, ...] = ()
    separator: str | None = None
    length: int | None = None
    """How many numbers the column's lists have."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A column that is not used, and why."""

    column: str
    table: str
    why: str


def guess_feature(column: ColumnProfile, table: TableProfile) -> Feature | LeftOut:
    """The role of a column."""
    if column.name in table.lists:
        return _list(column, table)
    missing = tuple(sorted(text for text in column.values if text in MISSING))
    present = Counter({text: count for text, count in column.values.items() if text not in missing})
    if len(present) <= 1:
        why = "is empty" if not present else f"is always {_shown(next(iter(present)))}"
        return LeftOut(column=column.name, table=table.path.name, why=why)
    if column.time_formats:
        why = "a date or a time: under `times`, its age, hour and weekday are features"
        return LeftOut(column=column.name, table=table.path.name, why=why)
    if any("," in text for text in present) and all(map(_is_number_with_comma, present)):
        why = f"has numbers with a comma ({_shown(max(present, key=len))}): write them with a decimal point alone"
        return LeftOut(column=column.name, table=table.path.name, why=why)
    return (
        _number(column, table)
        or _several(column, table, present, missing)
        or _category(column, table, present, missing)
    )


def _list(column: ColumnProfile, table: TableProfile) -> Feature | LeftOut:
    """Lists as several values, or as many numbers if all have the same length of them."""
    lists = [text.split(UNIT) for text in column.values]
    parts = {part for one in lists for part in one}
    lengths = {len(one) for one in lists}
    if len(lengths) == 1 and (length := lengths.pop()) > 1 and all(map(is_number, parts)):
        why = f"{table.path.name}: lists of {length} numbers"
        return Feature(column=column.name, table=table.path.name, is_numeric=True, why=why, length=length)
    separator = next((sign for sign in _SEPARATORS if not any(sign in part for part in parts)), None)
    if separator is None or len(parts) <= 1:
        why = "holds lists whose values contain all usual separators" if separator is None else "holds empty lists"
        return LeftOut(column=column.name, table=table.path.name, why=why)
    why = f"{table.path.name}: lists of {len(parts):,} different values; requests separate them by {separator!r}"
    return Feature(column=column.name, table=table.path.name, is_numeric=False, why=why, separator=separator)


def _number(column: ColumnProfile, table: TableProfile) -> Feature | None:
    wrong = column.not_numbers
    few_wrong = len(wrong) <= _MAX_WORDS and wrong.total() <= _MAX_WRONG * column.filled
    all_missing = set(wrong) <= MISSING and wrong.total() < column.filled
    is_code = _CODES & set(words(column.name)) or any(
        text[0] == "0" and text.isdigit() and len(text) > 1 for text in column.values
    )
    if is_code or not (few_wrong or all_missing):
        return None
    numbers = column.numbers
    why = f"{table.path.name}: {len(numbers):,} different numbers from {numbers[0]:g} to {numbers[-1]:g}"
    if wrong:
        why += f"; {wrong.total():,} of {column.filled:,} fields are none"
    return Feature(column=column.name, table=table.path.name, is_numeric=True, why=why, missing=tuple(sorted(wrong)))


def _is_number_with_comma(text: str) -> bool:
    """Whether it is a number as in `1.234,50` or `1,234.50`, or without a comma."""
    return is_number(text.replace(".", "").replace(",", "."))


def _several(
    column: ColumnProfile, table: TableProfile, present: Counter[str], missing: tuple[str, ...]
) -> Feature | None:
    """A feature with several values, if enough fields have a separator and the parts recur in other combinations."""
    for separator in _SEPARATORS:
        with_it = sum(count for text, count in present.items() if separator in text)
        if with_it < _MIN_SEPARATED * present.total():
            continue
        parts: Counter[str] = Counter()
        for text, count in present.items():
            parts.update({part: count for part in split_values(text, separator) if part})
        if parts and _come_again(parts, present, separator):
            why = (
                f"{table.path.name}: {len(parts):,} different values between {separator!r}, several in {with_it:,} of "
                f"{present.total():,} fields, such as {_shown(max(present, key=len))}"
            )
            return Feature(
                column=column.name,
                table=table.path.name,
                is_numeric=False,
                why=why,
                missing=missing,
                separator=separator,
            )
    return None


def _come_again(parts: Counter[str], present: Counter[str], separator: str) -> bool:
    """Whether the parts of fields are values, and not words of a text that contains the separator by chance."""
    uses = parts.total() / len(parts)
    return uses > 1 if separator in _NEVER_IN_TEXT else uses >= _MIN_USES and len(parts) < len(present)


def _category(
    column: ColumnProfile, table: TableProfile, present: Counter[str], missing: tuple[str, ...]
) -> Feature | LeftOut:
    shown = ", ".join(_shown(text) for text, _ in present.most_common(3))
    if len(present) > _MAX_DISTINCT * present.total() and present.total() > _FEW_ROWS:
        why = f"has {len(present):,} different values in {present.total():,} fields ({shown}): nearly unique"
        return LeftOut(column=column.name, table=table.path.name, why=why)
    why = f"{table.path.name}: {len(present):,} different values, mostly {shown}"
    return Feature(column=column.name, table=table.path.name, is_numeric=False, why=why, missing=missing)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
