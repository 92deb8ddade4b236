"""The rules for a table's fields, checked one by one, and its rows as typed columns. Each distinct text of a column is
parsed once. A number or a time of Parquet does not become a text, and a text not twice.
"""

import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial, reduce
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.columns import FIRST, LAST, Category, Field, Number
from features.columns import Time as TimeColumn
from features.values import (
    AS_WRITTEN,
    EARLIEST,
    EXPONENT,
    LATEST,
    PLAIN_ISO_TIME,
    TIME_FAULTS,
    UNITS,
    WHOLE,
    KeyRule,
    TimeFormat,
    is_number,
    key_of,
    microseconds,
    value_of,
)
from recommend.forgotten import NOBODY, Forgotten
from training.config import ONE_TIME, Condition, Label, Source, Time
from training.errors import BadRowsError
from training.kernels.columns import LABEL, TIME
from training.kernels.xxh64 import first_seeds, of_texts
from training.tables.files import PARTNER, TableFile
from training.tables.keys import KnownKeys
from training.tables.texts import doubles, is_fraction, text_array, text_of, texts_of

_FRACTION = "a fraction, and no category (name the column under `numeric`, or write its values as text)"


USER_KEY = "_user_key"
"""The joined name of the users' key."""
ROW_KEY, BASKET, AMOUNT = "_row_key", "_basket", "_amount"


@dataclass(frozen=True, kw_only=True)
class TableRules:
    """The used columns of one table, the `files` of `source`, which counts call `table`. `keys` maps a key's joined
    name to its column.
    """

    source: Source
    files: tuple[TableFile, ...]
    keys: dict[str, str] = field(hash=False)
    table: str = "interactions"
    features: list[Field] = field(default_factory=list, hash=False)
    label: Label | None = None
    timestamp: Time | None = None
    one_row_per: tuple[str, ...] = ()
    missing: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    """The texts that mean missing, by column; the empty text always does."""
    forgotten: Forgotten = NOBODY
    """Users whose rows are not read."""
    share: float = 1.0
    """The share of the users whose rows are read, by the hash of their key."""
    whole_row: tuple[str, ...] = ()
    """The columns by whose hash one row of a key is kept; none where a second row is refused."""
    key_rules: Mapping[str, KeyRule] = field(default_factory=dict, hash=False)
    """What is done to keys, by their joined names."""

    @property
    def columns(self) -> list[str]:
        """Every used column, once."""
        label = [self.label.column] if self.label else []
        timestamp = [self.timestamp.column] if self.timestamp else []
        features = (feature.name for feature in self.features)
        named = [*self.keys.values(), *self.one_row_per, *label, *timestamp, *features]
        partner = [PARTNER] if self.source.join else []
        return list(dict.fromkeys([*named, *self.source.cleaned_by, *self.whole_row, *partner]))

    def key_rule(self, name: str) -> KeyRule:
        """What is done to the key with a joined name."""
        return self.key_rules.get(name, AS_WRITTEN)

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
    """A check of a column's fields, each a text or a float. `fault` completes "the field is ...". It is for all rows if
    it comes `first`, and for those that cleaning leaves if not.
    """

    role: str
    column: str
    fault: str
    is_right: Callable[[str | float], bool]
    first: bool = False


def checks(rules: TableRules) -> list[Check]:
    """The checks of a table's columns."""

    def check(role: str, column: str, fault: str, is_value: Callable[[str], bool], *, optional: bool = False) -> Check:
        missing = {"", *rules.words(column)}

        def is_right(value: str | float) -> bool:
            text = text_of(value)
            return optional if text in missing else is_value(text)

        return Check(role=role, column=column, fault=fault, is_right=is_right)

    def number(column: str) -> Check:
        is_value = partial(_is_written_number, decimal=rules.source.decimal)
        return check("number", column, "not a number", is_value, optional=True)

    keys = {} if rules.source.missing_keys else {name: rules.key_rule(key).of for key, name in rules.keys.items()}
    others = (name for name in rules.one_row_per if name not in rules.keys.values())
    found = [replace(number(one.column), first=True) for one in rules.source.where if one.bounds]
    found += [check("key", name, "empty", lambda text, of=of: bool(of(text))) for name, of in keys.items()]  # type: ignore[misc] # a default binds it
    found += [check("key", name, "empty", bool) for name in others]
    found += [
        Check(role="category", column=name, fault=_FRACTION, is_right=lambda value: not is_fraction(value))
        for name in (one.name for one in rules.features if isinstance(one, Category))
    ]
    if label := rules.label:
        is_right = partial(_is_label, label=label, decimal=rules.source.decimal)
        found.append(check("label", label.column, _label_fault(label), is_right))
    if time := rules.timestamp:
        is_right, may_lack = partial(is_time, form=time.format), bool(rules.whole_row)
        found.append(check("timestamp", time.column, TIME_FAULTS[time.format], is_right, optional=may_lack))
    found += [number(name) for name in [rules.source.refunds] if name]
    return found + [
        check(one.called, one.name, one.fault, one.is_right, optional=True)
        if isinstance(one, TimeColumn)
        else number(one.name)
        for one in rules.features
        if isinstance(one, Number)
    ]


_COMMA = str.maketrans(",.", ".,")


def with_point(text: str, decimal: str) -> str:
    """A number that is written with a `decimal` as Python writes it: its points become commas, which no number has."""
    return text if decimal == "." else text.translate(_COMMA)


def _is_written_number(text: str, decimal: str) -> bool:
    return is_number(with_point(text, decimal))


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
    keys, pointed = texts, pc.match_substring(texts, ".")
    if pc.any(pointed).as_py():  # few keys have one, and the expression takes half the time of reading
        keys = pc.replace_with_mask(
            keys, pointed, pc.replace_substring_regex(keys.filter(pointed), f"^{WHOLE}$", r"\1")
        )
    large = pc.match_substring(keys, EXPONENT)
    if not pc.any(large).as_py():  # Databricks 15.4 has PyArrow 14, whose `true_count` crashes without nulls
        return keys
    return pc.replace_with_mask(keys, large, text_array([*map(key_of, keys.filter(large).to_pylist())]))


def is_time(text: str, form: TimeFormat) -> bool:
    """Whether a text is a time in a format."""
    return microseconds(text, form) is not None


def _is_label(text: str, label: Label, decimal: str) -> bool:
    return is_click(text if label.of_texts else with_point(text, decimal), label) is not None


def _label_fault(label: Label) -> str:
    if label.choice:
        return "none of the events of `choice`"
    if label.events:
        return "an event in neither `positive` nor `negative`"
    if isinstance(label.equals, str):
        return "empty"
    if isinstance(label.equals, bool):
        return "neither true nor false"
    if label.at_least is not None or label.equals is not None:
        return "not a number"
    return "neither 0 nor 1 (without `at_least` or `equals`, which say what counts as a click, it must be)"


_YEAR_1000 = -30_610_224_000_000_000
"""Its beginning in microseconds since 1970: texts of earlier times are none, see `features.values.PLAIN_ISO_TIME`."""


def numbers(values: pa.Array) -> pa.DoubleArray:
    """Numbers, or texts of numbers, as float64, NaN for null.

    Raises `BadRowsError` if one of them is no number that float64 can hold.
    """
    if pa.types.is_timestamp(values.type):
        raise BadRowsError("a time is not a number")
    parsed = values
    if pa.types.is_string(values.type):
        with suppress(pa.ArrowInvalid):
            parsed = values.cast(pa.float64())
        # Arrow refuses some valid numbers, such as `+5`, and also accepts the words `nan` and `inf`.
        if parsed is values or not pc.all(pc.is_finite(parsed)).as_py():
            parsed = of_each(values, lambda text: float(text) if is_number(text) else None, pa.float64())
        if parsed.null_count > values.null_count:
            raise BadRowsError("a text is not a number")
    found = parsed.to_numpy(zero_copy_only=False).astype(np.float64)
    if np.any(np.isinf(found)):
        raise BadRowsError("an infinite number")
    return pa.array(found)


@dataclass(frozen=True, kw_only=True)
class TypedTable:
    """So many `rows` of a table, with a value of each column for each. `columns` has the keys by their joined names,
    and where the table has them `LABEL`, int8, the place in `choice` or whether it is a click; `TIME`, int64 in
    microseconds; `ROW_KEY`, int64, which the events have in common that make one row, or of users and items the hash of
    the whole row, where only one of a key is kept; `BASKET`, texts; and `AMOUNT`, float64, what was bought, NaN where
    it is missing. `features` are float64 with NaN for missing, or texts with "".

    `uses` counts for each column with a separator or texts that mean missing the fields that are not empty
    ("filled NAME"), those that are a value ("present NAME"), the values with the separator ("separated NAME"), the
    rows with each listed event of the label ("event NAME"), and what was dropped: see `cleaned`.
    """

    rows: int
    columns: Mapping[str, pa.Array]
    uses: Counter[str]
    features: Mapping[str, pa.Array] = field(default_factory=dict)

    @cached_property
    def known(self) -> Mapping[str, KnownKeys]:
        """To find its rows by one of its keys, if they are all different."""
        return {name: KnownKeys.of(keys) for name, keys in self.columns.items() if pa.types.is_string(keys.type)}

    @classmethod
    def together(cls, tables: Sequence["TypedTable"]) -> "TypedTable":
        """All users or items, of which these are parts; raises `BadRowsError` without any."""
        if not any(one.rows for one in tables):
            raise BadRowsError("no row")
        first = tables[0]
        return cls(
            rows=sum(one.rows for one in tables),
            columns={name: pa.concat_arrays([one.columns[name] for one in tables]) for name in first.columns},
            uses=sum((one.uses for one in tables), Counter()),
            features={name: pa.concat_arrays([one.features[name] for one in tables]) for name in first.features},
        )

    def latest(self, rules: TableRules) -> "TypedTable":
        """One row of each key: the latest, and of those of one time the one with the largest hash."""
        codes = self.columns[next(iter(rules.keys))].dictionary_encode().indices.to_numpy()
        others = [self.columns[name].to_numpy() for name in (ROW_KEY, TIME) if name in self.columns]
        order = np.lexsort([*others, codes])
        kept = np.sort(order[np.flatnonzero(np.diff(codes[order], append=-1))])
        again = Counter({f"{REPEATED} {rules.table}": self.rows - len(kept)})
        return replace(self.of(kept), uses=self.uses + again)

    def of(self, rows: npt.NDArray[np.int64], **columns: npt.NDArray[Any]) -> "TypedTable":
        """These of the rows, with these columns; `uses` counts all rows, and those left out as `read`."""
        places = pa.array(rows)
        own = {name: values.take(places) for name, values in self.columns.items()}
        return TypedTable(
            rows=len(rows),
            columns=own | {name: pa.array(values) for name, values in columns.items()},
            uses=self.uses + Counter(read=self.rows - len(rows)),
            features={name: values.take(places) for name, values in self.features.items()},
        )


def typed(columns: Mapping[str, pa.Array], rules: TableRules) -> TypedTable:
    """The used columns of the rows that cleaning leaves as what they mean. Raises `BadRowsError` if a field has the
    wrong type.
    """
    columns, dropped = cleaned(columns, rules)
    if dropped[WRONG]:
        raise BadRowsError("no number in a column of `where`")
    found = untyped(columns, rules)
    needed = [] if rules.source.missing_keys else [*found.columns.values()]
    for texts in (*needed, *(_texts(columns[name], rules.words(name)) for name in rules.one_row_per)):
        if pc.any(pc.equal(texts, "")).as_py():
            raise BadRowsError("no key")
    keys = {name: found.columns[key] for key, name in rules.keys.items()}
    as_keys = {one.name for one in rules.features if isinstance(one, Category)} & keys.keys()
    features = {
        one.name: keys[one.name] if one.name in as_keys else _feature(columns[one.name], one, rules)
        for one in rules.features
    }
    own = dict(found.columns)
    if label := rules.label:
        own[LABEL] = _clicks(columns[label.column], label, rules)
    if told_apart := rules.one_row_per or rules.whole_row:
        own[ROW_KEY] = _row_keys([keys.get(name, columns[name]) for name in told_apart])
    if time := rules.timestamp:
        own[TIME] = _timestamps(columns[time.column], time, rules)
    if basket := rules.source.basket:
        own[BASKET] = keys_of(_texts(columns[basket], rules.words(basket)))
    if refunds := rules.source.refunds:
        own[AMOUNT] = _feature(columns[refunds], Number(name=refunds, at=0), rules)
    return replace(found, columns=own, features=features, uses=found.uses + dropped)


WRONG, OUTSIDE, KEYLESS, ALONE = "wrong", "outside", "keyless", "alone"
REPEATED, SPELLED = "repeated", "spelled"
"""What cleaning counts."""


def left_out(uses: Mapping[str, int]) -> int:
    """How many rows of a table `cleaned` has dropped."""
    return sum(count for name, count in uses.items() if name in {KEYLESS, ALONE} or name.startswith(f"{OUTSIDE} "))


def cleaned(
    columns: Mapping[str, pa.Array], rules: TableRules, kinds: Mapping[str, pa.DataType] = MappingProxyType({})
) -> tuple[Mapping[str, pa.Array], Counter[str]]:
    """The rows that `where` and `missing_keys` leave, and how many they don't: "outside TABLE" and "keyless"; among
    the former those with a field that is no number, though it should be one: `WRONG`.

    The `kinds` are those of a file's columns, if `columns` has them as texts.
    """
    found = Counter[str]()
    if PARTNER in columns:
        has_all = columns[PARTNER]
        found[ALONE] = len(has_all) - int(pc.sum(has_all).as_py() or 0)
        columns = {name: values.filter(has_all) for name, values in columns.items()}
    fits = np.ones(len(next(iter(columns.values()))), np.bool_)
    for one in rules.source.where:
        values = columns[one.column]
        kind = kinds.get(one.column, values.type)
        among, excluded = (_listing(listed, one.column, kind, rules) for listed in (one.among, one.excluded))
        fulfils = partial(_fulfils, condition=one, decimal=rules.source.decimal, among=among, excluded=excluded)
        known = of_each(_texts(values, rules.words(one.column)), fulfils, pa.bool_())
        fits &= known.fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - a value
        found[WRONG] += known.null_count
    if rules.source.where:
        found[f"{OUTSIDE} {rules.table}"] = int((~fits).sum())
        columns = {name: values.filter(pa.array(fits)) for name, values in columns.items()}
    if rules.source.missing_keys:
        has_key = {key: pc.not_equal(values, "") for key, values in _keys(columns, rules).items()}
        if rules.source.missing_keys == ONE_TIME and USER_KEY in has_key:
            baskets = _texts(columns[rules.source.basket], rules.words(rules.source.basket))
            has_key[USER_KEY] = pc.or_(has_key[USER_KEY], pc.not_equal(baskets, ""))
        kept = reduce(pc.and_, has_key.values())
        found[KEYLESS] = len(kept) - int(pc.sum(kept).as_py() or 0)
        columns = {name: values.filter(kept) for name, values in columns.items()}
    return columns, found


_COMPARED = {"above": operator.gt, "at_least": operator.ge, "below": operator.lt, "at_most": operator.le}


def _fulfils(
    text: str, condition: Condition, decimal: str, among: Callable[[str], bool], excluded: Callable[[str], bool]
) -> bool | None:
    """Whether a field fulfils a condition, "" if it is missing; None if it should be a number and is none."""
    if not text:
        return not condition.bounds and not condition.among
    if condition.bounds:
        if not _is_written_number(text, decimal):
            return None
        number = float(with_point(text, decimal))
        if not all(_COMPARED[name](number, bound) for name, bound in condition.bounds.items()):
            return False
    return not excluded(text) and (not condition.among or among(text))


def _listing(listed: Sequence[str | float], column: str, kind: pa.DataType, rules: TableRules) -> Callable[[str], bool]:
    """Says whether a field of a column is listed: as a key by its rule, in a column of times as the same moment, and
    otherwise as `features.values.value_of` says.
    """
    if (key := next((key for key, name in rules.keys.items() if name == column), None)) is not None:
        rule = rules.key_rule(key)
        keys = {rule.of(one) for one in listed}
        return lambda text: rule.of(text) in keys
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind

    def value(text: str) -> float | None:
        return microseconds(text) if pa.types.is_temporal(kind) else value_of(with_point(text, rules.source.decimal))

    of_numbers = any(one.name == column for one in rules.features if type(one) is Number) or is_of_numbers(kind)
    has_values = of_numbers or pa.types.is_temporal(kind)
    values, words = set[float](), set[str]()
    for one in listed:
        found = value_of(str(one)) if type(one) is not str else value(one) if has_values else None
        if found is None:
            words.add(_word(str(one)))
        else:
            values.add(found)
    return lambda text: _word(text) in words or value(text) in values


def _word(text: str) -> str:
    """A text, but YAML's true is also pandas' True."""
    return text.lower() if text.lower() in {"true", "false"} else text


def is_of_numbers(kind: pa.DataType) -> bool:
    """Whether a Parquet column of this type holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _keys(columns: Mapping[str, pa.Array], rules: TableRules) -> dict[str, pa.StringArray]:
    return {
        key: normalized(_texts(columns[name], rules.words(name)), rules.key_rule(key))
        for key, name in rules.keys.items()
    }


def normalized(texts: pa.StringArray, rule: KeyRule) -> pa.StringArray:
    """Many keys by their rule."""
    return keys_of(texts) if rule == AS_WRITTEN else of_each(texts, rule.of, pa.string())


def untyped(columns: Mapping[str, pa.Array], rules: TableRules) -> TypedTable:
    """Their keys and counts alone, whatever the other fields are."""
    keys, uses = _keys(columns, rules), _uses(columns, rules)
    for key in (key for key in keys if rules.key_rule(key) != AS_WRITTEN):
        written = keys_of(_texts(columns[rules.keys[key]], rules.words(rules.keys[key])))
        uses[f"{SPELLED} {rules.table}"] += pc.sum(pc.not_equal(written, keys[key])).as_py() or 0
    return TypedTable(rows=len(next(iter(columns.values()))), columns=keys, uses=uses)


def _texts(values: pa.Array, words: Sequence[str]) -> pa.StringArray:
    """The values as texts, with "" for the `words` that mean missing."""
    texts = texts_of(values)
    return pc.if_else(pc.is_in(texts, text_array(words)), "", texts) if words else texts


def _present(values: pa.Array, words: Sequence[str]) -> pa.Array:
    """The values, null where they are missing: numbers as float64, times as they are, all others as texts."""
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = doubles(values) if pa.types.is_floating(kind) else values
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


def pointed(values: pa.Array, decimal: str) -> pa.Array:
    """`with_point` for many texts; numbers are left as they are."""
    if decimal == "." or not pa.types.is_string(values.type):
        return values
    return of_each(values, partial(with_point, decimal=decimal), pa.string())


def _is_text_of_float(word: str) -> bool:
    try:
        return text_of(float(word)) == word
    except ValueError:
        return False


def _feature(values: pa.Array, feature: Field, rules: TableRules) -> pa.Array:
    words = rules.words(feature.name)
    if isinstance(feature, Category):
        return _texts(values, words)
    present = _present(values, words)
    if not isinstance(feature, TimeColumn):
        return numbers(pointed(present, rules.source.decimal))
    found = _moments(present, feature.reading.format, feature.reading.zone)
    moments: npt.NDArray[np.float64] = found.to_numpy(zero_copy_only=False).astype(np.float64)
    if found.null_count > present.null_count or np.any((moments < FIRST) | (moments >= LAST)):
        raise BadRowsError(f"no time in {feature.name}")
    return pa.array(moments)


def _timestamps(values: pa.Array, time: Time, rules: TableRules) -> pa.Int64Array:
    """The time of each row in microseconds."""
    present = _present(values, rules.words(time.column))
    found = _moments(present, time.format, "UTC")
    if rules.whole_row:  # of users or items, where one without a time is earlier than all others
        found = pc.if_else(present.is_valid(), found, pa.scalar(EARLIEST, pa.int64()))
    if found.null_count:
        raise BadRowsError(f"no time in {time.column}")
    return found


def _moments(present: pa.Array, form: TimeFormat, zone: str) -> pa.Int64Array:
    """Times in microseconds since 1970, null for missing and wrong ones; `zone` is that of times that name none."""
    kind = present.type
    if pa.types.is_timestamp(kind) and form is TimeFormat.ISO and (kind.tz or zone == "UTC"):
        moments = present.cast(pa.timestamp("us", kind.tz), safe=kind.unit != "ns").cast(pa.int64())
        right = pc.and_(pc.greater_equal(moments, _YEAR_1000), pc.less(moments, LATEST))
        return pc.if_else(right, moments, pa.scalar(None, pa.int64()))
    if pa.types.is_floating(kind) and form in UNITS:
        found = present.to_numpy(zero_copy_only=False) * UNITS[form]
        right = (found >= EARLIEST) & (found < LATEST)
        return pa.array(np.where(right, found, 0).astype(np.int64), mask=~right)
    texts = texts_of(present)
    if form is TimeFormat.ISO and zone == "UTC" and (moments := _in_bulk(texts)) is not None:
        return moments
    return of_each(texts, partial(microseconds, form=form, zone=ZoneInfo(zone)), pa.int64())


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


def of_each(texts: pa.StringArray, function: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    """What a function makes of each text, asked once for each different one."""
    distinct = texts.dictionary_encode()
    return pa.array(list(map(function, distinct.dictionary.to_pylist())), kind).take(distinct.indices)


def _clicks(values: pa.Array, label: Label, rules: TableRules) -> pa.Int8Array:
    texts = _texts(values, rules.words(label.column))
    if label.choice:
        places = {text: place for place, text in enumerate(label.choice)}
        found = of_each(texts, places.get, pa.int8())
    else:
        texts = texts if label.of_texts else pointed(texts, rules.source.decimal)
        found = of_each(texts, lambda text: is_click(text, label) if text else None, pa.bool_())
    if found.null_count:
        raise BadRowsError(f"no label in {label.column}")
    return found.cast(pa.int8())


def _row_keys(columns: Sequence[pa.Array]) -> pa.Int64Array:
    """A hash of the values of all these columns. Among a billion rows, two others share one in 3 % of all datasets."""
    seeds = first_seeds(len(columns[0]))
    for values in columns:
        seeds = of_texts(keys_of(texts_of(values)), seeds)
    return pa.array(seeds.view(np.int64))


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
