"""Date and time columns: the model gets their age in days, and their hour and weekday in the column's time zone.

In training, the age counts from the row's timestamp. In the service it counts from the request's field `at`, by default
the current time. Times are stored as microseconds since 1970 in float64, NaN for missing, which is exact up to the year
2255.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from features.arrays import Numbers, Values
from features.columns import Asked, Field, Fields, Inputs, Number, Rule, Tables
from features.values import PLAIN_TIMES, TIME_FAULTS, TimeFormat, microseconds

MOMENT = "at"
"""The request's field with the time that ages count from."""
HOUR, DAY = 3_600e6, 86_400e6
"""Microseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = ((datetime(year, 1, 2, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1) for year in (1, 9999))
_EXAMPLE = "2026-01-31 18:30:00"
_THURSDAY = 3
"""The weekday of 1970-01-01; Monday is 0."""


class Reading(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a column's times are read. `zone` applies to texts without a time zone, and to hour and weekday."""

    zone: str = "UTC"
    format: TimeFormat = TimeFormat.ISO


@dataclass(frozen=True, kw_only=True)
class Time(Number):
    """A time. Its age counts from the last of the fields, a `Moment`."""

    role = "time"

    reading: Reading

    @property
    def rule(self) -> Rule:
        """What a table's fields must be; numbers of up to ten digits are in range as seconds and as milliseconds."""
        form = self.reading.format
        return Rule("time", TIME_FAULTS[form], r"[0-9]{1,10}" if PLAIN_TIMES[form] else "")

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
        return found is not None and _FIRST <= found < _LAST

    def parse(self, text: str) -> float:
        """A time in the column's format or in ISO 8601; raises `ValueError` for other texts."""
        for form in dict.fromkeys((self.reading.format, TimeFormat.ISO)):
            found = microseconds(text, form, ZoneInfo(self.reading.zone))
            if found is not None and _FIRST <= found < _LAST:
                return float(found)
        raise ValueError(f"{text[:100]!r} is {self.rule.fault}")

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
