"""Columns of a dataset. A column object knows how its values are read and stored, which model inputs they become, and
how the report, explanations and drift name it. `Schema` creates these objects.

From categorical columns and what is derived from them the model gets rates and counts of their values; from date and
time columns their age in days, and their hour and weekday in the column's time zone. In training, the age counts from
the row's timestamp. In the service it counts from the request's field `at`, by default the current time. Times are
stored as microseconds since 1970 in float64, NaN for missing, which is exact up to the year 2255.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt

from features.hashing import (
    EACH,
    Categories,
    Hashes,
    Numbers,
    RowOfEach,
    Several,
    Values,
    crossed,
    hash_several,
    hash_values,
    split_values,
)
from features.values import TIME_FAULTS, TimeFormat, is_number, microseconds

Fields = Sequence[Any]
"""The values of n rows: one entry for each of `Schema.fields`, `Numbers` or `Categories` depending on its kind."""
Places = npt.NDArray[np.int64]
Stands = npt.NDArray[np.float32]
Inputs = Sequence[npt.NDArray[np.floating[Any]]]
"""One array [n] for each of a column's inputs."""

Integer = (
    Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[float, msgspec.Meta(ge=-(2**63), le=2**63 - 1024, multiple_of=1)]
)
"""Of 64 bits: there are longer ones that Python does not write as text. JSON Schema counts 3.0 as an integer."""

Whole = int | Annotated[float, msgspec.Meta(multiple_of=1)]
"""Of any size, as keys may be."""

MOMENT = "at"
"""The request's field with the time that ages count from."""
HOUR, DAY = 3_600e6, 86_400e6
"""Microseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = ((datetime(year, 1, 2, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1) for year in (1, 9999))
_EXAMPLE = "2026-01-31 18:30:00"
_THURSDAY = 3
"""The weekday of 1970-01-01; Monday is 0."""


class Tables(Protocol):
    """Looks up what category values encode to: an `Encoder`, or training's out-of-fold tables."""

    def place(self, index: int, hashes: Hashes, /) -> Places:
        """The places of the values with these hashes in the encoder's column `index`, int64[m]; one past the last if
        unknown."""
        ...

    def lookup(self, index: int, places: Places, row: RowOfEach, /) -> tuple[Stands, Stands]:
        """The rate and log count, float32[m] each, of the values at these places; `row` is the row of each value."""
        ...

    def products(self, first: Places, second: Places, /) -> Stands:
        """The factors' predictions, float32[n], for pairs of values at these places of their two columns."""
        ...


class Asked(NamedTuple):
    """How a request states a value: msgspec's type if it is not null, the description for clients, and an example."""

    kind: Any
    description: str
    example: float | str


@dataclass(frozen=True, kw_only=True)
class Column(ABC):
    """A column of any kind."""

    name: str
    role: ClassVar[str]
    """The name of the kind in the report."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The names of the model inputs. The first represents the column in the check for leaks."""

    @abstractmethod
    def encode(self, fields: Fields, tables: Tables) -> Inputs:
        """The values of the column's inputs in n rows."""

    def watched(self, inputs: Numbers) -> Numbers:
        """The values whose histogram drift compares, float64[n], NaN for missing, from the inputs float64[n, k]."""
        return inputs[:, 0]


@dataclass(frozen=True, kw_only=True)
class Field(Column):
    """A column that records hold. `at` is its index in `Schema.fields`."""

    at: int

    @property
    @abstractmethod
    def asked(self) -> Asked:
        """How a request states a value."""

    @abstractmethod
    def read(self, values: Sequence[Any]) -> Values:
        """The values of n records from their JSON values; None, NaN or UNSET means missing."""

    def is_in(self, other: "Field | None") -> bool:
        """Whether rows whose field of the same name is `other` also provide this field."""
        return isinstance(other, type(self))


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    """A number, which is its own input. Stored as float64, NaN for missing."""

    role = "numeric"
    called: ClassVar[str] = "number"
    """What error messages about a table's fields call the column."""

    @property
    def fault(self) -> str:
        """What a wrong field is."""
        return "not a number"

    @property
    def asked(self) -> Asked:
        """A number; the examples are 1, 2, ..."""
        return Asked(float, "A number, or null when missing.", float(self.at + 1))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The number."""
        return (self.name,)

    def is_right(self, text: str) -> bool:
        """Whether a table's field that is not missing is a valid value."""
        return is_number(text)

    def parse(self, text: str) -> float:
        """The value of a field for which `is_right` holds."""
        return float(text)

    def shown(self, value: float) -> float | str | None:
        """A stored value as a request states it."""
        return None if np.isnan(value) else value

    def read(self, values: Sequence[Any]) -> Values:
        """The numbers, float64[n]."""
        return np.array(values, dtype=np.float64)  # None becomes NaN

    def encode(self, fields: Fields, _tables: Tables) -> Inputs:
        """The numbers."""
        return (fields[self.at],)


class Rated(Column):
    """A column whose inputs are a click rate and the log count of the rows behind it."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Rate and log count."""
        return f"{self.name}_rate", f"{self.name}_log_count"

    def watched(self, inputs: Numbers) -> Numbers:
        """The rate. Rare and unseen values count as missing, since they have no rate of their own."""
        return np.where(inputs[:, 1] > 0, inputs[:, 0], np.nan)


class Encoded(Rated):
    """A column with a table in the encoder, at `index`, where its values' inputs are looked up.

    A row with several values gets the means of their inputs.
    """

    index: int

    @abstractmethod
    def values(self, fields: Fields) -> Categories:
        """The column's values in n rows."""

    def encode(self, fields: Fields, tables: Tables) -> Inputs:
        """The rate and log count from the column's table."""
        values = self.values(fields)
        if isinstance(values, Several):
            stands = tables.lookup(self.index, tables.place(self.index, values.hashes), values.row)
            return tuple(map(values.means, stands))
        return tables.lookup(self.index, tables.place(self.index, values), EACH)


@dataclass(frozen=True, kw_only=True)
class Category(Field, Encoded):
    """A categorical column. With a `separator`, a field can hold several values."""

    role = "categorical"

    index: int
    separator: str = ""

    @property
    def asked(self) -> Asked:
        """A text, or an integer that stands for its digits; the example is a made-up one."""
        if not self.separator:
            return Asked(
                Integer | str, "A category, or null when missing. The integer 12 is the category `12`.", "example"
            )
        said = f"Categories with {json.dumps(self.separator)} between them, in any order, or null when missing."
        return Asked(Integer | str, said, f"one{self.separator}other")

    def read(self, values: Sequence[Any]) -> Values:
        """The values' hashes, int64[n] or several."""
        texts = [_text(value) for value in values]
        if not self.separator:
            return hash_values(texts)
        hashes = [hash_several(text, self.separator) for text in texts]
        row = np.repeat(np.arange(len(texts)), [len(of_row) for of_row in hashes])
        return Several(hashes=np.concatenate(hashes), row=row)

    def is_in(self, other: Field | None) -> bool:
        """Only with the same separator."""
        return isinstance(other, Category) and self.separator == other.separator

    def split(self, text: str) -> list[str]:
        """The values in a field."""
        return split_values(text, self.separator) if self.separator else [text]

    def values(self, fields: Fields) -> Categories:
        """The field's values."""
        values: Categories = fields[self.at]
        return values


def _text(value: object) -> str:
    """What a request's value stands for: null and no value for the empty text, an integer for its digits."""
    if isinstance(value, float):
        value = int(value)
    return str(value) if value or value == 0 else ""


@dataclass(frozen=True, kw_only=True)
class Cross(Encoded):
    """A pair of categorical columns, for example what one user did with items of one genre.

    It is computed: neither tables nor requests contain it.
    """

    role = "cross"

    index: int
    first: Category
    second: Category

    def values(self, fields: Fields) -> Categories:
        """The pairs of both columns' values."""
        return crossed(self.first.values(fields), self.second.values(fields))


@dataclass(frozen=True, kw_only=True)
class FactorPair(Rated):
    """Two categorical columns whose values have latent factors (`features.encoder`). Its inputs are the factors'
    prediction for a row's two values and the smaller of the values' log counts."""

    role = "factors"

    first: Category
    second: Category

    def encode(self, fields: Fields, tables: Tables) -> Inputs:
        """The product of the two values' vectors, and the smaller log count."""
        own, other = (tables.place(one.index, fields[one.at]) for one in (self.first, self.second))
        _, own_count = tables.lookup(self.first.index, own, EACH)
        _, other_count = tables.lookup(self.second.index, other, EACH)
        return tables.products(own, other), np.minimum(own_count, other_count)


class Reading(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a column's times are read. `zone` applies to texts without a time zone, and to hour and weekday."""

    zone: str = "UTC"
    format: TimeFormat = TimeFormat.ISO


@dataclass(frozen=True, kw_only=True)
class Time(Number):
    """A time. Its age counts from the last of the fields, a `Moment`."""

    role = "time"
    called = "time"

    reading: Reading

    @property
    def fault(self) -> str:
        """What a wrong field is."""
        return TIME_FAULTS[self.reading.format]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Age, hour and weekday."""
        return f"{self.name}_age_days", f"{self.name}_hour", f"{self.name}_weekday"

    @property
    def asked(self) -> Asked:
        """A text or a number."""
        said = (
            f"A time in ISO 8601 or in the tables' format ({self.reading.format}); in the zone {self.reading.zone} "
            "unless it names another; null when missing."
        )
        return Asked(_parsed_by(self), said, _EXAMPLE)

    def is_right(self, text: str) -> bool:
        """Whether a table's field that is not missing is a time in the column's format."""
        found = microseconds(text, self.reading.format, ZoneInfo(self.reading.zone))
        return found is not None and FIRST <= found < LAST

    def parse(self, text: str) -> float:
        """A time in the column's format or in ISO 8601; raises `ValueError` for other texts."""
        for form in dict.fromkeys((self.reading.format, TimeFormat.ISO)):
            found = microseconds(text, form, ZoneInfo(self.reading.zone))
            if found is not None and FIRST <= found < LAST:
                return float(found)
        raise ValueError(f"{text[:100]!r} is {self.fault}")

    def shown(self, value: float) -> float | str | None:
        """ISO 8601, in UTC."""
        return None if np.isnan(value) else (_EPOCH + timedelta(microseconds=int(value))).isoformat(sep=" ")

    def is_in(self, other: Field | None) -> bool:
        """Only with the same zone, on which hour and weekday depend."""
        return isinstance(other, Time) and other.reading.zone == self.reading.zone

    def encode(self, fields: Fields, _tables: Tables) -> Inputs:
        """Age, hour and weekday. `mod` is exact, while a rounded division could end on the next day."""
        times: Numbers = fields[self.at]
        local = times + _offsets(times, self.reading.zone)
        of_day = np.mod(local, DAY)
        days = (local - of_day) / DAY
        return (fields[-1] - times) / DAY, np.floor(of_day / HOUR), np.mod(days + _THURSDAY, 7.0)


@dataclass(frozen=True, kw_only=True)
class Moment(Time):
    """The time that ages count from: the row's timestamp in training, a request's field. It is no input itself."""

    name: str = MOMENT
    reading: Reading = field(default_factory=Reading)

    @property
    def inputs(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def asked(self) -> Asked:
        """A text or a number."""
        said = "The time that ages count from: ISO 8601, UTC by default, or seconds since 1970; now if missing."
        return Asked(_parsed_by(self), said, _EXAMPLE)

    def read(self, values: Sequence[Any]) -> Values:
        """The times, float64[n], with the current time for missing ones."""
        moments = np.array(values, dtype=np.float64)
        return np.where(np.isnan(moments), np.floor(time.time() * 1e6), moments)


def _offsets(times: Numbers, zone: str) -> Numbers:
    """The zone's offset from UTC at each of these times, in microseconds, float64[n]."""
    offsets = np.zeros(len(times))
    if zone != "UTC":
        known = ~np.isnan(times)
        distinct, place = np.unique(times[known], return_inverse=True)
        clock = ZoneInfo(zone)
        moments = ((_EPOCH + timedelta(microseconds=int(one))).astimezone(clock) for one in distinct.tolist())
        found = [(moment.utcoffset() or timedelta()) / timedelta(microseconds=1) for moment in moments]
        offsets[known] = np.array(found, dtype=np.float64)[place]
    return offsets


def _parsed_by(column: Time) -> Any:  # noqa: ANN401 - a type made from values has no type
    """A float type that msgspec's `dec_hook` creates with `from_json`, which raises `ValueError` if it is no time."""

    def from_json(cls: type[float], value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("expected a time")  # noqa: TRY004 - msgspec adds the field's name to a ValueError
        return cls(column.parse(value if isinstance(value, str) else repr(value)))

    kind = type("Time", (float,), {"from_json": classmethod(from_json)})
    return Annotated[kind, msgspec.Meta(extra_json_schema={"type": ["string", "number"], "examples": [_EXAMPLE]})]
