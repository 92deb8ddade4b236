"""The rules for a table's fields, checked one by one, and its rows as typed columns. Each distinct text of a column is
parsed once. A number or a time of Parquet does not become a text, and a text not twice.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.columns import FIRST, LAST, Category, Field, Number
from features.columns import Time as TimeColumn
from features.values import (
    EARLIEST,
    EXPONENT,
    LATEST,
    PLAIN_ISO_TIME,
    TIME_FAULTS,
    WHOLE,
    TimeFormat,
    is_number,
    key_of,
    microseconds,
)
from recommend.forgotten import NOBODY, Forgotten
from training.config import Label, Time
from training.errors import BadRowsError
from training.kernels.xxh64 import distinct_texts, first_seeds, of_texts
from training.tables.files import TableFile
from training.tables.texts import is_fraction, text_array, text_of, texts_of

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


_YEAR_1000 = -30_610_224_000_000_000
"""Its beginning in microseconds since 1970: texts of earlier times are none, see `features.values.PLAIN_ISO_TIME`."""
_UNITS = {TimeFormat.ISO: 1e6, TimeFormat.MILLISECONDS: 1e3}
"""Microseconds in one of a number's units, by the formats in which a time can be a number."""


def numbers(values: pa.Array) -> npt.NDArray[np.float64]:
    """Numbers, or texts of numbers, as float64[n], NaN for null.

    Raises `BadRowsError` if one of them is no number that float64 can hold.
    """
    if pa.types.is_timestamp(values.type):
        raise BadRowsError("a time is no number")
    if not pa.types.is_string(values.type):
        found: npt.NDArray[np.float64] = values.to_numpy(zero_copy_only=False).astype(np.float64)
        if np.any(np.isinf(found)):
            raise BadRowsError("an infinite number")
        return found
    try:
        found = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return _one_by_one(values)
    # Arrow also accepts the words `nan` and `inf`.
    right = np.count_nonzero(np.isfinite(found)) == len(values) - values.null_count
    return found if right else _one_by_one(values)


def _one_by_one(texts: pa.StringArray) -> npt.NDArray[np.float64]:
    """Check each distinct text by the rule itself, since Arrow's parser refuses some valid numbers, such as `+5`."""
    distinct = texts.dictionary_encode()
    words = distinct.dictionary.to_pylist()
    if wrong := [word for word in words if not is_number(word)]:
        raise BadRowsError(f"{wrong[0]!r} is no number")
    values = np.array([*map(float, words), np.nan])
    indices: npt.NDArray[np.int64] = distinct.indices.fill_null(len(words)).to_numpy()
    return values[indices]


@dataclass(frozen=True, kw_only=True)
class KnownKeys:
    """The `hashes` of n keys, at least one, int64[n] ascending, and the `rows` that have them, int64[n].

    Arrow's `index_in` would build its table of all known keys again for each block of rows. Among ten million keys, two
    others share a hash in three of a million datasets.
    """

    hashes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, keys: pa.StringArray) -> "KnownKeys":
        """These keys, which are all different."""
        hashes = distinct_texts(keys)
        rows = np.argsort(hashes)
        return cls(hashes=hashes[rows], rows=rows)

    def find(self, keys: pa.StringArray) -> pa.Int64Array:
        """The row of each of `keys`, null if it is not known."""
        distinct = keys.dictionary_encode()
        hashes = distinct_texts(distinct.dictionary)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        unknown = self.hashes[place] != hashes
        return pa.array(self.rows[place], mask=unknown).take(distinct.indices)


@dataclass(frozen=True, kw_only=True)
class TypedTable:
    """So many `rows` of a table: `keys` by their joined name, `features` float64[n] with NaN for missing or texts with
    "" for missing, `label` int8[n] and `time` int64[n] in microseconds where the table has them. Events that make one
    row have the same `row_key`, int64[n], where events make rows.

    `uses` counts for each column with a separator or texts that mean missing the fields that are not empty
    ("filled NAME"), those that are a value ("present NAME"), the values with the separator ("separated NAME"), and the
    rows with each listed event of the label ("event NAME").
    """

    rows: int
    keys: Mapping[str, pa.StringArray]
    features: Mapping[str, Any]
    label: npt.NDArray[np.int8] | None
    time: npt.NDArray[np.int64] | None
    row_key: npt.NDArray[np.int64] | None
    uses: Counter[str]

    @cached_property
    def known(self) -> Mapping[str, KnownKeys]:
        """To find its rows by one of its keys, if they are all different."""
        return {name: KnownKeys.of(keys) for name, keys in self.keys.items()}

    @classmethod
    def together(cls, tables: Sequence["TypedTable"]) -> "TypedTable":
        """All users or items, of which these are parts; raises `BadRowsError` without any."""
        if not any(one.rows for one in tables):
            raise BadRowsError("no row")
        first = tables[0]
        return replace(
            first,
            rows=sum(one.rows for one in tables),
            keys={name: pa.concat_arrays([one.keys[name] for one in tables]) for name in first.keys},
            features={name: _concatenated([one.features[name] for one in tables]) for name in first.features},
            uses=sum((one.uses for one in tables), Counter()),
        )

    def of(self, rows: npt.NDArray[np.int64], label: npt.NDArray[np.int8]) -> "TypedTable":
        """These of the rows, with a `label` for each; `uses` counts all rows, and those left out as `read`."""
        places = pa.array(rows)
        return replace(
            self,
            rows=len(rows),
            keys={name: values.take(places) for name, values in self.keys.items()},
            features={name: taken(values, places) for name, values in self.features.items()},
            label=label,
            time=None if self.time is None else self.time[rows],
            row_key=None,
            uses=self.uses + Counter(read=self.rows - len(rows)),
        )


def _concatenated(parts: Sequence[Any]) -> Any:  # noqa: ANN401 - numbers in NumPy's arrays, texts in Arrow's
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else pa.concat_arrays(parts)


def taken(values: Any, places: pa.Array) -> Any:  # noqa: ANN401 - numbers in NumPy's arrays, texts in Arrow's
    """The values of a feature at these places."""
    return values[places.to_numpy()] if isinstance(values, np.ndarray) else values.take(places)


def typed(columns: Mapping[str, pa.Array], rules: TableRules) -> TypedTable:
    """The used columns of a table as what they mean. Raises `BadRowsError` if a field has the wrong type."""
    for name in rules.needed:
        if pc.any(pc.equal(_texts(columns[name], rules.words(name)), "")).as_py():
            raise BadRowsError(f"no key in {name}")
    found = untyped(columns, rules)
    keys = {name: found.keys[key] for key, name in rules.keys.items()}
    return replace(
        found,
        features={
            one.name: keys[one.name]
            if isinstance(one, Category) and one.name in keys
            else _feature(columns[one.name], one, rules.words(one.name))
            for one in rules.features
        },
        label=None if rules.label is None else _clicks(columns[rules.label.column], rules.label, rules),
        row_key=_row_keys([columns[name] for name in rules.one_row_per]) if rules.one_row_per else None,
        time=_timestamps(columns, rules),
    )


def untyped(columns: Mapping[str, pa.Array], rules: TableRules) -> TypedTable:
    """Their keys and counts alone, whatever the other fields are."""
    texts = {name: _texts(columns[name], rules.words(name)) for name in rules.keys.values()}
    return TypedTable(
        rows=len(next(iter(columns.values()))),
        keys={key: keys_of(texts[name]) for key, name in rules.keys.items()},
        features={},
        label=None,
        row_key=None,
        time=None,
        uses=_uses(columns, rules),
    )


def _texts(values: pa.Array, words: Sequence[str]) -> pa.StringArray:
    """The values as texts, with "" for the `words` that mean missing."""
    texts = texts_of(values)
    return pc.if_else(pc.is_in(texts, text_array(words)), "", texts) if words else texts


def _present(values: pa.Array, words: Sequence[str]) -> pa.Array:
    """The values, null where they are missing: numbers as float64, times as they are, all others as texts."""
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        found = values.to_numpy(zero_copy_only=False).astype(np.float64)
        if pa.types.is_integer(kind):  # float64 would hold neighbours of the largest for the same
            meant = pc.is_in(values.cast(pa.string()), text_array(words)).to_numpy(zero_copy_only=False)
        else:
            meant = np.isin(found, [float(word) for word in words if _is_text_of_float(word)])
        return pa.array(found, mask=np.isnan(found) | meant)
    if pa.types.is_timestamp(kind) and not words:
        return values
    texts = _texts(values, words)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _is_text_of_float(word: str) -> bool:
    try:
        return text_of(float(word)) == word
    except ValueError:
        return False


def _feature(values: pa.Array, feature: Field, words: Sequence[str]) -> npt.NDArray[np.float64] | pa.StringArray:
    if isinstance(feature, Category):
        return _texts(values, words)
    present = _present(values, words)
    if not isinstance(feature, TimeColumn):
        return numbers(present)
    found = _moments(present, feature.reading.format, feature.reading.zone)
    moments: npt.NDArray[np.float64] = found.to_numpy(zero_copy_only=False).astype(np.float64)
    if found.null_count > present.null_count or np.any((moments < FIRST) | (moments >= LAST)):
        raise BadRowsError(f"no time in {feature.name}")
    return moments


def _timestamps(columns: Mapping[str, pa.Array], rules: TableRules) -> npt.NDArray[np.int64] | None:
    """The time of each row, int64[n] in microseconds."""
    if rules.timestamp is None:
        return None
    name = rules.timestamp.column
    found = _moments(_present(columns[name], rules.words(name)), rules.timestamp.format, "UTC")
    if found.null_count:
        raise BadRowsError(f"no time in {name}")
    moments: npt.NDArray[np.int64] = found.to_numpy()
    return moments


def _moments(present: pa.Array, form: TimeFormat, zone: str) -> pa.Int64Array:
    """Times in microseconds since 1970, null for missing and wrong ones; `zone` is that of times that name none."""
    kind = present.type
    if pa.types.is_timestamp(kind) and form is TimeFormat.ISO and (kind.tz or zone == "UTC"):
        moments = present.cast(pa.timestamp("us", kind.tz), safe=kind.unit != "ns").cast(pa.int64())
        right = pc.and_(pc.greater_equal(moments, _YEAR_1000), pc.less(moments, LATEST))
        return pc.if_else(right, moments, pa.scalar(None, pa.int64()))
    if pa.types.is_floating(kind) and form in _UNITS:
        found = present.to_numpy(zero_copy_only=False) * _UNITS[form]
        right = (found >= EARLIEST) & (found < LATEST)
        return pa.array(np.where(right, found, 0).astype(np.int64), mask=~right)
    texts = texts_of(present)
    if form is TimeFormat.ISO and zone == "UTC" and (moments := _in_bulk(texts)) is not None:
        return moments
    return _of_each(texts, partial(microseconds, form=form, zone=ZoneInfo(zone)), pa.int64())


def _in_bulk(texts: pa.StringArray) -> pa.Int64Array | None:
    """The microseconds of times as most tables write them, in a twentieth of the time; None if one is written in
    another way.
    """
    if not pc.all(pc.match_substring_regex(texts, f"^{PLAIN_ISO_TIME}$")).as_py():
        return None
    try:
        return texts.cast(pa.timestamp("us")).cast(pa.int64())
    except pa.ArrowInvalid:  # there is no such day
        return None


def _of_each(texts: pa.StringArray, function: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    distinct = texts.dictionary_encode()
    return pa.array(list(map(function, distinct.dictionary.to_pylist())), kind).take(distinct.indices)


def _clicks(values: pa.Array, label: Label, rules: TableRules) -> npt.NDArray[np.int8]:
    texts = _texts(values, rules.words(label.column))
    found = _of_each(texts, lambda text: is_click(text, label) if text else None, pa.bool_())
    if found.null_count:
        raise BadRowsError(f"no label in {label.column}")
    clicked: npt.NDArray[np.int8] = found.cast(pa.int8()).to_numpy(zero_copy_only=False)
    return clicked


def _row_keys(columns: Sequence[pa.Array]) -> npt.NDArray[np.int64]:
    """A hash of the values of all these columns. Among a billion rows, two others share one in 3 % of all datasets."""
    seeds = first_seeds(len(columns[0]))
    for values in columns:
        seeds = of_texts(keys_of(texts_of(values)), seeds)
    return seeds.view(np.int64)


def _uses(columns: Mapping[str, pa.Array], rules: TableRules) -> Counter[str]:
    """See `TypedTable`."""
    counts = Counter[str]()
    if rules.label:
        for one in pc.value_counts(texts_of(columns[rules.label.column])).to_pylist() if rules.label.events else ():
            if one["values"] in rules.label.events:
                counts[f"event {one['values']}"] += one["counts"]
    for name in rules.spoken_of:
        values, words = columns[name], rules.words(name)
        counts[f"filled {name}"] += len(values) - _present(values, ()).null_count
        counts[f"present {name}"] += len(values) - _present(values, words).null_count
        if separator := rules.separators.get(name):
            counts[f"separated {name}"] += pc.sum(pc.match_substring(_texts(values, words), separator)).as_py() or 0
    return counts
