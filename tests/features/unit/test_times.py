"""Age, hour and weekday of times, against values that are worked out by hand."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.columns import Reading, Time
from features.encoder import Encoder, RawRows
from features.schema import Schema, SchemaError
from features.values import TimeFormat

NO_TABLES = Encoder(
    columns=(),
    offsets=np.array([0]),
    hashes=np.empty(0, dtype=np.int64),
    rates=np.empty(0, dtype=np.float32),
    log_counts=np.empty(0, dtype=np.float32),
    unseen=np.empty((0, 2), dtype=np.float32),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY, WEDNESDAY, THURSDAY, SATURDAY, SUNDAY = 0, 2, 3, 5, 6


def schema_of(reading: Reading) -> Schema:
    return Schema(numeric=(), categorical=(), timestamp="seen_at", times={"released": reading})


def column_of(reading: Reading) -> Time:
    (column,) = schema_of(reading).further
    assert isinstance(column, Time)
    return column


def inputs(texts: Sequence[str | None], at: str, reading: Reading) -> list[list[float]]:
    """Age, hour and weekday of each."""
    column = column_of(reading)
    read = [None if text is None else column.parse(text) for text in texts]
    moment = Time(name="at", at=0, reading=Reading()).parse(at)
    records = [(value, moment) for value in read]
    found: list[list[float]] = RawRows.of_records(schema_of(reading), records).encode(NO_TABLES).tolist()
    return found


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-02-27 00:00:00", "UTC", [2.0, 0.0, 4.0]),
        ("2026-02-28 23:59:59.999999", "UTC", [1 / 86_400e6, 23.0, SATURDAY]),
        ("2026-03-02 06:00:00", "UTC", [-1.25, 6.0, MONDAY]),  # a film that is not out yet
        ("2024-02-29 12:00:00", "UTC", [730.5, 12.0, THURSDAY]),  # half a day, and two years of 365 days from March on
        ("1970-01-01", "UTC", [20_513.0, 0.0, THURSDAY]),
        ("1969-12-31 23:00:00", "UTC", [20_513 + 1 / 24, 23.0, WEDNESDAY]),
        ("1900-02-28", "UTC", [46_022.0, 0.0, WEDNESDAY]),  # 25,509 days before 1970: 1900 had no leap day
        ("2026-02-28 23:30:00Z", "Europe/Berlin", [0.5 / 24, 0.0, SUNDAY]),  # 00:30 on the first of March
        ("2026-02-28 23:30:00", "Europe/Berlin", [1.5 / 24, 23.0, SATURDAY]),  # 22:30 in UTC
        ("2026-02-28 23:30:00-05:00", "Asia/Kolkata", [-4.5 / 24, 10.0, SUNDAY]),  # 04:30 in UTC, 10:00 there
    ],
)
def test_age_hour_and_weekday_by_hand(text: str, zone: str, expected: list[float]) -> None:
    assert inputs([text], "2026-03-01", Reading(zone=zone)) == [pytest.approx(expected, abs=1e-12)]


def test_an_hour_that_the_clock_shows_twice_or_never_is_the_first_or_the_one_it_would_be() -> None:
    """On 2025-10-26 Berlin's clock goes from 03:00 back to 02:00, on 2026-03-29 from 02:00 to 03:00."""
    at, berlin = "2025-10-26 00:00:00", Reading(zone="Europe/Berlin")
    [first, second, winter] = inputs(["2025-10-26 02:30", "2025-10-26 01:30Z", "2025-10-26 03:30"], at, berlin)
    assert first == [-0.5 / 24, 2.0, SUNDAY]  # 00:30 in UTC, in summer time
    assert second == [-1.5 / 24, 2.0, SUNDAY]  # 01:30 in UTC is 02:30 once more
    assert winter == [-2.5 / 24, 3.0, SUNDAY]
    [never, after] = inputs(["2026-03-29 02:30", "2026-03-29 03:30"], "2026-03-29", berlin)
    assert never == [-1.5 / 24, 3.0, SUNDAY]  # 02:30 of winter time, which the clock shows as 03:30
    assert after == [-1.5 / 24, 3.0, SUNDAY]


def test_a_missing_time_is_missing_in_each_input() -> None:
    [known, missing] = inputs(["2026-01-01", None], "2026-01-02", Reading(zone="America/New_York"))
    assert known == [1.0 - 5 / 24, 0.0, THURSDAY]
    assert all(map(math.isnan, missing))


def test_without_a_moment_ages_count_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 86_400.0 * 3)
    records = [(0.0, None), (0.0, 86_400e6), (0.0, float("nan"))]
    ages = RawRows.of_records(schema_of(Reading()), records).encode(NO_TABLES)[:, 0]
    assert ages.tolist() == [3.0, 1.0, 3.0]


def microseconds_of(year: int) -> int:
    return (datetime(year, 1, 2, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@given(
    st.integers(microseconds_of(1800), microseconds_of(2250)), st.sampled_from(["UTC", "Europe/Dublin", "Asia/Tehran"])
)
def test_hour_and_weekday_are_those_of_python(value: int, zone: str) -> None:
    moment = EPOCH + timedelta(microseconds=value)
    [[age, hour, weekday]] = inputs([moment.isoformat(sep=" ")], "1970-01-01", Reading(zone=zone))
    local = moment.astimezone(ZoneInfo(zone))
    assert (age, hour, weekday) == (-value / 86_400e6, local.hour, local.weekday())


@given(st.integers(microseconds_of(1000), microseconds_of(9990)))
def test_what_is_shown_is_read_as_the_same_time(value: int) -> None:
    for reading in (Reading(zone="Asia/Tokyo"), Reading(format=TimeFormat.MILLISECONDS)):
        shown = column_of(reading).shown(float(value))
        assert column_of(reading).parse(str(shown)) == float(value)
    assert column_of(Reading()).shown(float("nan")) is None


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("31/01/2026", TimeFormat.DAY_FIRST, "2026-01-31"),
        ("1769817600000", TimeFormat.MILLISECONDS, "2026-01-31"),
        ("2026-01-31", TimeFormat.MILLISECONDS, "2026-01-31"),  # a client may write ISO 8601 whatever the tables do
    ],
)
def test_a_client_writes_as_the_tables_or_as_iso_8601(text: str, form: TimeFormat, expected: str) -> None:
    assert column_of(Reading(format=form)).parse(text) == column_of(Reading()).parse(expected)


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30", "1e12", "1769817600000", "31/01/2026", "253402214400"])
def test_what_is_no_time_is_refused(text: str) -> None:
    assert not column_of(Reading()).is_right(text)
    with pytest.raises(ValueError, match=r"is not a time \(give seconds since 1970"):
        column_of(Reading()).parse(text)


def test_a_schema_with_times_survives_its_file_and_one_without_is_the_file_that_it_was() -> None:
    schema = Schema(
        numeric=("age",),
        categorical=("city",),
        timestamp="seen_at",
        times={"born": Reading(), "in": Reading(zone="Cuba")},
    )
    assert Schema.from_json(schema.to_json()) == schema
    assert msgspec.json.decode(schema.to_json())["times"] == {"born": {}, "in": {"zone": "Cuba"}}
    assert b'"times"' not in Schema(numeric=("age",), categorical=()).to_json()
    assert schema.features == ("age", "city", "born", "in", "at")
    assert [column.name for column in schema.columns] == ["age", "city", "born", "in"]
    assert schema.encoded_features[-3:] == ("in_age_days", "in_hour", "in_weekday")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"times": {"born": Reading()}}, "Ages of times count from the row's timestamp, but none is named"),
        ({"times": {"born": Reading()}, "timestamp": "t", "numeric": ("at",)}, "at is used more than once"),
        (
            {"times": {"born": Reading()}, "timestamp": "t", "numeric": ("born_hour",)},
            "born_hour is used more than once",
        ),
    ],
)
def test_times_that_cannot_be_features_are_refused(columns: dict[str, object], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        Schema(**({"numeric": (), "categorical": ()} | columns))  # type: ignore[arg-type]


def test_rows_in_another_zone_lack_the_column() -> None:
    ours, theirs = schema_of(Reading(zone="Cuba")), schema_of(Reading())
    assert ours.lacking(theirs) == ("released",)
    assert ours.lacking(ours) == ()
