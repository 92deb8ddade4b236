"""The rules for a table's fields, checked one by one or for many at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from features.columns import Category, Field, Number
from features.values import EXPONENT, TIME_FAULTS, WHOLE, TimeFormat, is_number, key_of, microseconds
from recommend.forgotten import NOBODY, Forgotten
from training.datasets.described.files import TableFile
from training.datasets.described.spec import Label, Time
from training.datasets.described.texts import is_fraction, text_array, text_of

_FRACTION = "a fraction, and no category (name the column under `numeric`, or write its values as text)"


@dataclass(frozen=True, kw_only=True)
class TableRules:
    """The used columns of one table in `files`, which messages call `shown`. `keys` maps a key's joined name to its
    column.
    """

    shown: str
    files: tuple[TableFile, ...]
    keys: dict[str, str] = field(hash=False)
    features: list[Field] = field(default_factory=list, hash=False)
    label: Label | None = None
    timestamp: Time | None = None
    one_row_per: tuple[str, ...] = ()
    missing: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    """The texts that mean missing, by column; the empty text always does."""
    forgotten: Forgotten = NOBODY
    """Users whose rows are not read."""

    @property
    def columns(self) -> list[str]:
        """Every used column, once."""
        label = [self.label.column] if self.label else []
        timestamp = [self.timestamp.column] if self.timestamp else []
        features = (feature.name for feature in self.features)
        return list(dict.fromkeys([*self.needed, *label, *timestamp, *features]))

    @property
    def needed(self) -> list[str]:
        """The columns that no row may lack: keys, and those that tell rows apart."""
        return list(dict.fromkeys([*self.keys.values(), *self.one_row_per]))

    @property
    def separators(self) -> dict[str, str]:
        """The separators of categorical columns with several values."""
        texts = [feature for feature in self.features if isinstance(feature, Category)]
        return {text.name: text.separator for text in texts if text.separator}

    @property
    def spoken_of(self) -> list[str]:
        """The features with a separator, or with texts that mean missing besides the empty one."""
        return [one.name for one in self.features if one.name in self.separators or self.words(one.name)]

    def words(self, column: str) -> list[str]:
        """The texts that mean missing in a column, besides the empty one."""
        return sorted(self.missing.get(column, frozenset()) - {""})


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check of a column's fields, each a text or a float. `fault` completes "the field is ..."."""

    role: str
    column: str
    fault: str
    is_right: Callable[[str | float], bool]


def checks(rules: TableRules) -> list[Check]:
    """The checks of a table's columns."""

    def check(role: str, column: str, fault: str, is_value: Callable[[str], bool], *, optional: bool = False) -> Check:
        missing = {"", *rules.words(column)}

        def is_right(value: str | float) -> bool:
            text = text_of(value)
            return optional if text in missing else is_value(text)

        return Check(role=role, column=column, fault=fault, is_right=is_right)

    found = [check("key", name, "no key", bool) for name in rules.needed]
    found += [
        Check(role="category", column=name, fault=_FRACTION, is_right=lambda value: not is_fraction(value))
        for name in (one.name for one in rules.features if isinstance(one, Category))
    ]
    if label := rules.label:
        found.append(check("label", label.column, _label_fault(label), partial(_is_label, label=label)))
    if time := rules.timestamp:
        found.append(check("timestamp", time.column, TIME_FAULTS[time.format], partial(_is_time, form=time.format)))
    return found + [
        check(one.rule.called, one.name, one.rule.fault, one.is_right, optional=True)
        for one in rules.features
        if isinstance(one, Number)
    ]


def is_click(text: str, label: Label) -> bool | None:
    """Whether a label that is not missing is a click by its rule; None if the rule does not apply."""
    if listed := label.events:
        return listed[text] == "positive" if text in listed else None
    if isinstance(label.equals, str):
        return text == label.equals
    if isinstance(label.equals, bool):
        return text.lower() == str(label.equals).lower() if text.lower() in {"true", "false"} else None
    return _is_number_of_click(float(text), label) if is_number(text) else None


def _is_number_of_click(number: float, label: Label) -> bool | None:
    if label.at_least is not None:
        return number >= label.at_least
    if label.equals is not None:
        return number == label.equals
    return number == 1 if number in {0, 1} else None


def keys_of(texts: pa.StringArray) -> pa.StringArray:
    """`key_of` many keys."""
    keys = pc.replace_substring_regex(texts, f"^{WHOLE}$", r"\1")
    large = pc.match_substring(keys, EXPONENT)
    if not pc.any(large).as_py():  # Databricks 15.4 has PyArrow 14, whose `true_count` crashes without nulls
        return keys
    return pc.replace_with_mask(keys, large, text_array([*map(key_of, keys.filter(large).to_pylist())]))


def _is_time(text: str, form: TimeFormat) -> bool:
    return microseconds(text, form) is not None


def _is_label(text: str, label: Label) -> bool:
    return is_click(text, label) is not None


def _label_fault(label: Label) -> str:
    if label.events:
        return "an event in neither `positive` nor `negative`"
    if isinstance(label.equals, str):
        return "empty"
    if isinstance(label.equals, bool):
        return "neither true nor false"
    if label.at_least is not None or label.equals is not None:
        return "no number"
    return "neither 0 nor 1 (without `at_least` or `equals`, which say what counts as a click, it must be)"
