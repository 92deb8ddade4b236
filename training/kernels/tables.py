"""Tables of a dataset as typed columns. Each distinct text of a column is parsed once."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.columns import Field, Number
from features.values import PLAIN_ISO_TIME, TIME_FAULTS, TimeFormat, is_number, microseconds
from training.datasets.described.fields import TableRules, checks, is_click, keys_of
from training.datasets.described.quick import Uses
from training.datasets.described.spec import Label, Time
from training.kernels.xxh64 import distinct_texts, first_seeds, of_texts


class NotNumbersError(ValueError):
    """Texts that are no numbers. Callers that know the file name their place; users never see this error."""


def numbers(texts: pa.StringArray) -> npt.NDArray[np.float64]:
    """The number in each text, float64[n], NaN for null.

    Raises `NotNumbersError` if one of them is no number that float64 can hold.
    """
    try:
        values: npt.NDArray[np.float64] = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return _one_by_one(texts)
    # Arrow also accepts the words `nan` and `inf`.
    right = np.count_nonzero(np.isfinite(values)) == len(texts) - texts.null_count
    return values if right else _one_by_one(texts)


def _one_by_one(texts: pa.StringArray) -> npt.NDArray[np.float64]:
    """Check each distinct text by the rule itself, since Arrow's parser refuses some valid numbers, such as `+5`."""
    distinct = texts.dictionary_encode()
    words = distinct.dictionary.to_pylist()
    if wrong := [word for word in words if not is_number(word)]:
        raise NotNumbersError(f"{wrong[0]!r} is no number")
    values = np.array([*map(float, words), np.nan])
    indices: npt.NDArray[np.int64] = distinct.indices.fill_null(len(words)).to_numpy()
    return values[indices]


class BadFieldsError(ValueError):
    """Fields of the wrong type. Callers that know the file name them; users never see this error."""


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
    """n rows of a table: `keys` by their joined name, `features` float64[n] with NaN for missing or texts with "" for
    missing, `label` int8[n] and `time` int64[n] in microseconds where the table has them. Events that make one row have
    the same `row_key`, int64[n], where events make rows.

    `uses` has what `training.datasets.described.quick.Uses` counts.
    """

    keys: Mapping[str, pa.StringArray]
    features: Mapping[str, Any]
    label: npt.NDArray[np.int8] | None
    time: npt.NDArray[np.int64] | None
    row_key: npt.NDArray[np.int64] | None
    uses: Mapping[str, int]

    @cached_property
    def known(self) -> Mapping[str, KnownKeys]:
        """To find its rows by one of its keys, if they are all different."""
        return {name: KnownKeys.of(keys) for name, keys in self.keys.items()}

    def of(self, rows: npt.NDArray[np.int64], label: npt.NDArray[np.int8]) -> "TypedTable":
        """These of the rows, with a `label` for each; `uses` counts all rows, and those left out as `read`."""
        places = pa.array(rows)
        left_out = (0 if self.label is None else len(self.label)) - len(rows)
        return replace(
            self,
            keys={name: values.take(places) for name, values in self.keys.items()},
            features={name: taken(values, places) for name, values in self.features.items()},
            label=label,
            time=None if self.time is None else self.time[rows],
            row_key=None,
            uses=Counter(self.uses) + Counter(read=left_out),
        )


def taken(values: Any, places: pa.Array) -> Any:  # noqa: ANN401 - numbers in NumPy's arrays, texts in Arrow's
    """The values of a feature at these places."""
    return values[places.to_numpy()] if isinstance(values, np.ndarray) else values.take(places)


def typed(texts: Mapping[str, pa.StringArray], rules: TableRules) -> TypedTable:
    """Convert the texts of a table's used columns, "" for missing.

    Raises `BadFieldsError` if a field has the wrong type, and `NotNumbersError` for numbers.
    """
    values = {name: _values(texts[name], rules.missing.get(name, frozenset())) for name in rules.columns}
    plain = {one.name for one in rules.features if _is_plain(one)}  # checked as they are read, and so are times
    for check in (check for check in checks(rules) if check.column not in plain and check.role != "timestamp"):
        if not all(check.is_right(text) for text in check.doubtful(texts[check.column]).to_pylist()):
            raise BadFieldsError(f"{check.column}: {check.fault}")
    values |= {name: keys_of(values[name]) for name in rules.keys.values()}  # also where the model reads them
    uses = Uses(rules)
    uses.add(texts)
    return TypedTable(
        keys={key: values[name] for key, name in rules.keys.items()},
        features={one.name: _feature(values[one.name], one) for one in rules.features},
        label=None if rules.label is None else _clicks(values[rules.label.column], rules.label),
        row_key=_row_keys(values, rules.one_row_per) if rules.one_row_per else None,
        time=None if rules.timestamp is None else _microseconds(values[rules.timestamp.column], rules.timestamp),
        uses=uses.counts,
    )


def _values(texts: pa.StringArray, missing: frozenset[str]) -> pa.StringArray:
    """The texts, with "" for those that mean missing."""
    words = sorted(missing - {""})
    if not words:
        return texts
    return pc.if_else(pc.is_in(texts, pa.array(words, pa.string())), "", texts)


def _is_plain(feature: Field) -> bool:
    """Whether its fields are plain numbers, which `numbers` checks and parses in bulk."""
    return isinstance(feature, Number) and type(feature).parse is Number.parse


def _feature(texts: pa.StringArray, feature: Field) -> npt.NDArray[np.float64] | pa.StringArray:
    if not isinstance(feature, Number):
        return texts
    if _is_plain(feature):
        return numbers(_null_for_empty(texts))
    values: npt.NDArray[np.float64] = _of_each(
        texts, lambda text: feature.parse(text) if text else float("nan"), pa.float64()
    ).to_numpy(zero_copy_only=False)
    return values


def _null_for_empty(texts: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _of_each(texts: pa.StringArray, function: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    distinct = texts.dictionary_encode()
    return pa.array(list(map(function, distinct.dictionary.to_pylist())), kind).take(distinct.indices)


def _clicks(texts: pa.StringArray, label: Label) -> npt.NDArray[np.int8]:
    clicked: npt.NDArray[np.int8] = (
        _of_each(texts, lambda text: is_click(text, label), pa.bool_()).cast(pa.int8()).to_numpy(zero_copy_only=False)
    )
    return clicked


def _row_keys(values: Mapping[str, pa.StringArray], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """A hash of the values of all these columns. Among a billion rows, two others share one in 3 % of all datasets."""
    seeds = first_seeds(len(values[names[0]]))
    for name in names:
        seeds = of_texts(keys_of(values[name]), seeds)
    return seeds.view(np.int64)


def _microseconds(texts: pa.StringArray, column: Time) -> npt.NDArray[np.int64]:
    found = _in_bulk(texts) if column.format is TimeFormat.ISO else None
    if found is None:
        found = _of_each(texts, partial(microseconds, form=column.format), pa.int64())
    if found.null_count:
        raise BadFieldsError(f"{column.column}: {TIME_FAULTS[column.format]}")
    moments: npt.NDArray[np.int64] = found.to_numpy()
    return moments


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
