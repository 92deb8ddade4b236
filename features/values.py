"""Numbers, times and keys of users and items as tables and requests write them.

A key is one text, by which tables, snapshots, models and requests know it. A table writes the same key as `12` where
its column holds integers and as `12.0` where it holds floats, as pandas makes of integers if one is missing.
"""

import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

import msgspec

NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
"""A decimal number, to be matched against a whole text. Unlike Java's parser it rejects `1d`, `0x1p3`, `NaN` and
spaces."""
_NUMBER = re.compile(NUMBER)
WHOLE_BELOW = 2**53
"""So far float64 tells each whole number from the next one."""

_MINUTES = ":[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
PLAIN_ISO_TIME = rf"[1-9][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}([ T]([01][0-9]|2[0-3]){_MINUTES})?"
"""A time without a zone, if there is such a day."""

_CLOCK = (
    rf"([ T](?P<hour>[01]?[0-9]|2[0-3])(?P<minutes>{_MINUTES})"  # Excel writes 8:26
    r"( ?(?P<zone>Z|UTC|[+-](0[0-9]|1[0-7])(:?[0-5][0-9])?))?)?"
)
_YEAR_FIRST = re.compile(rf"(?P<date>[1-9][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}){_CLOCK}")
_YEAR_LAST = re.compile(
    rf"(?P<first>[0-9]{{1,2}})(?P<between>[/.-])(?P<second>[0-9]{{1,2}})(?P=between)(?P<year>[1-9][0-9]{{3}}){_CLOCK}"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_800_000_000
"""The beginning of the year 1 and the end of 9999, in microseconds: other years have no date."""

WHOLE = r"(-?[0-9]+)\.0*"
"""A whole number with a decimal point."""
EXPONENT = "e+"
_LARGE = re.compile(r"-?[0-9](\.[0-9]+)?e\+1[6-9]")
"""A float of 1e16 or more, which Python writes with an exponent. None of 64 bits has a larger one."""


class TimeFormat(StrEnum):
    """How a column writes its times."""

    ISO = "iso"
    """ISO 8601 such as `2026-01-31 23:59:00` or `2026-01-31T23:59:00+0200`, or seconds since 1970."""
    DAY_FIRST = "day-first"
    """`31/01/2026`, separated by `/`, `.` or `-`, with an optional time of day."""
    MONTH_FIRST = "month-first"
    """`01/31/2026`, with the same separators and time of day."""
    MILLISECONDS = "milliseconds"
    """Milliseconds since 1970."""
    MICROSECONDS = "microseconds"
    """Microseconds since 1970, as Google Analytics exports them."""
    DAYS = "days"
    """Whole days since any day, such as `711` of a grocer's journey, or any other count that grows with time."""


UNITS = {TimeFormat.ISO: 1e6, TimeFormat.MILLISECONDS: 1e3, TimeFormat.MICROSECONDS: 1.0, TimeFormat.DAYS: 86_400e6}
"""Microseconds in one of a number's units, by the formats in which a time can be a number."""

TIME_FAULTS = {
    TimeFormat.ISO: "not a time (give seconds since 1970 or a form like 2026-01-31 23:59:00)",
    TimeFormat.DAY_FIRST: "not a date with the day first, like 31/01/2026 23:59",
    TimeFormat.MONTH_FIRST: "not a date with the month first, like 01/31/2026 23:59",
    TimeFormat.MILLISECONDS: "not a number of milliseconds since 1970",
    TimeFormat.MICROSECONDS: "not a number of microseconds since 1970",
    TimeFormat.DAYS: "not a number of days",
}
"""What error messages say that a wrong field is."""


def shown_time(microseconds: int) -> str:
    """A time in microseconds since 1970, as sentences name it: `2026-01-31 23:59:00 UTC`."""
    return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M:%S} UTC"


def is_number(text: str) -> bool:
    """Whether a text is a decimal number that a float64 can hold."""
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def value_of(text: str) -> float | None:
    """The value of a number's text, None for another text, and for a number so large that others have the same float64.

    Where somebody lists values for a column of texts, a text is meant as it is written, and a number is every text with
    its value: 38 is `38` and `38.0`. In a column of numbers both are values.
    """
    found = float(text) if _NUMBER.fullmatch(text) else math.inf
    return found if abs(found) < WHOLE_BELOW else None


def microseconds(text: str, form: TimeFormat = TimeFormat.ISO, zone: tzinfo = UTC) -> int | None:
    """A time in microseconds since 1970; None if the text is no time in this format.

    A text without a time zone is in `zone`; one without a time of day is midnight.
    """
    if form in UNITS and (form is not TimeFormat.ISO or is_number(text)):
        found = float(text) * UNITS[form] if is_number(text) else math.inf
        return int(found) if EARLIEST <= found < LATEST else None
    match = (_YEAR_FIRST if form is TimeFormat.ISO else _YEAR_LAST).fullmatch(text)
    if match is None:
        return None
    if form is TimeFormat.ISO:
        date = match["date"]
    else:
        month, day = ("second", "first") if form is TimeFormat.DAY_FIRST else ("first", "second")
        date = f"{match['year']}-{match[month]:0>2}-{match[day]:0>2}"
    own = "Z" if match["zone"] == "UTC" else match["zone"] or ""
    try:
        clock = f"{match['hour'] or '':0>2}{match['minutes'] or ':00'}"
        moment = datetime.fromisoformat(f"{date} {clock}{own}")
        return ((moment if own else moment.replace(tzinfo=zone)) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def key_of(key: str | float) -> str:
    """The one text of a key as a table or a request writes it: 12, `12` and `12.0` are the same key, `012` and `a12`
    are others.
    """
    text = str(key)
    if EXPONENT in text:
        return str(int(float(text))) if _LARGE.fullmatch(text) else text
    if "." not in text:  # nearly every key, and much faster
        return text
    whole = re.fullmatch(WHOLE, text)
    return whole[1] if whole else text


class KeyRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is done to each key of users or items, in tables and requests, before it is compared.

    With a rule, letters with accents that are composed in two ways are also the same (Unicode's form NFC).
    """

    lowercase: bool = False
    strip: bool = False
    """Whether spaces around it are left out."""

    def of(self, key: str | float) -> str:
        """`key_of` a key by this rule."""
        text = str(key).strip() if self.strip else str(key)
        text = text.lower() if self.lowercase else text
        return key_of(unicodedata.normalize("NFC", text) if self.strip or self.lowercase else text)


AS_WRITTEN = KeyRule()
"""Keys are compared as they are."""
