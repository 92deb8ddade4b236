"""Numbers and times as tables and requests write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.values import TimeFormat, microseconds, shown_time

SECOND = 1_000_000
TEN_OCLOCK = 1_769_594_400 * SECOND
"""2026-01-28 10:00:00 UTC: 20,481 days of 86,400 seconds since 1970, and 36,000 seconds."""
SECOND_OF_SEPTEMBER = 20_698 * 86_400 * SECOND
"""2026-09-02, 56 years with 14 leap days and 244 days after 1970-01-01."""
NINTH_OF_FEBRUARY = 20_493 * 86_400 * SECOND


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-28 10:00:00 UTC", TEN_OCLOCK),
        ("2026-01-28 12:00:00+0200", TEN_OCLOCK),
        ("2026-01-28 12:00:00 +02:00", TEN_OCLOCK),
        ("2026-01-28T05:30-04:30", TEN_OCLOCK),
        ("2026-01-28T10:00:00.25Z", TEN_OCLOCK + SECOND // 4),
        ("2026-01-28 10:00", TEN_OCLOCK),
        ("2026-01-28 9:00-01", TEN_OCLOCK),
        ("2026-01-28", TEN_OCLOCK - 36_000 * SECOND),
        ("1769594400", TEN_OCLOCK),
        ("-0.5", -SECOND // 2),
    ],
)
def test_iso_8601_and_seconds_are_times(text: str, expected: int) -> None:
    assert microseconds(text) == expected


def test_the_order_of_day_and_month_is_what_the_format_says() -> None:
    assert microseconds("02/09/2026", TimeFormat.DAY_FIRST) == SECOND_OF_SEPTEMBER
    assert microseconds("2.9.2026 0:00", TimeFormat.DAY_FIRST) == SECOND_OF_SEPTEMBER
    assert microseconds("02/09/2026", TimeFormat.MONTH_FIRST) == NINTH_OF_FEBRUARY
    assert microseconds("02-09-2026 01:00+0100", TimeFormat.MONTH_FIRST) == NINTH_OF_FEBRUARY


def test_numbers_of_other_units_are_times_of_their_own_format_alone() -> None:
    assert microseconds("1769594400123", TimeFormat.MILLISECONDS) == TEN_OCLOCK + 123_000
    assert microseconds("1769594400123456", TimeFormat.MICROSECONDS) == TEN_OCLOCK + 123_456
    assert microseconds("2026-01-28", TimeFormat.MILLISECONDS) is None


@pytest.mark.parametrize(
    "text",
    ["", "2026-01-28 3:5", "2026-1-28", "2026-02-29", "2026-01-28 24:00", "02/09/2026", "1e300", "1e305", "-1e308"],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert microseconds(text) is None


@pytest.mark.parametrize(
    ("form", "first", "end"),
    [
        (TimeFormat.ISO, -62_135_596_800, 253_402_300_800),
        (TimeFormat.MILLISECONDS, -62_135_596_800_000, 253_402_300_800_000),
    ],
)
def test_a_number_is_a_time_of_the_years_1_to_9999(form: TimeFormat, first: int, end: int) -> None:
    """The proleptic Gregorian calendar has 719,162 days before 1970, and 2,932,897 from then to the year 10000."""
    found = [microseconds(str(number), form) for number in (first - 1, first, end - 1, end)]
    assert found[0] is found[3] is None
    assert found[1] == -719_162 * 86_400 * SECOND
    assert 2_932_897 * 86_400 * SECOND - SECOND <= (found[2] or 0) < 2_932_897 * 86_400 * SECOND


@pytest.mark.parametrize("text", ["13/13/2026", "30/02/2026", "02/09.2026", "2026-09-02", "1769594400"])
def test_what_is_no_date_with_the_day_first_is_none(text: str) -> None:
    assert microseconds(text, TimeFormat.DAY_FIRST) is None


@given(
    st.datetimes(
        timezones=st.integers(-17 * 60, 17 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    ).filter(lambda moment: moment.year >= 1000)
)
def test_a_time_that_python_writes_is_read_exactly(moment: datetime) -> None:
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert microseconds(moment.isoformat(sep=" ")) == expected


def test_a_time_is_shown_as_a_second_of_utc() -> None:
    assert shown_time(SECOND_OF_SEPTEMBER + 999_999) == shown_time(SECOND_OF_SEPTEMBER)
    assert microseconds(shown_time(SECOND_OF_SEPTEMBER)) == SECOND_OF_SEPTEMBER
