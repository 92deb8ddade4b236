"""What a table's values mean, as Spark's expressions: texts, numbers, times, keys and labels.

The rules are those of `training.datasets.described.fields` and `features.values`; property tests compare both.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.types import DataType, DoubleType, FloatType, NumericType, StringType, TimestampType

from features.values import (
    EARLIEST,
    EXPONENT,
    LARGE,
    LATEST,
    NUMBER,
    WHOLE,
    YEAR_FIRST,
    YEAR_LAST,
    TimeFormat,
)
from training.datasets.described.spec import Label

TEXT, DOUBLE = StringType(), DoubleType()
_INFINITE = float("inf")
_EXACT = 1 << 53
"""Below this, float64 holds every whole number."""


def exactly(pattern: str) -> str:
    """Java's pattern for a whole text: a `$` of Java's also stands before a last line break."""
    return rf"\A(?:{pattern})\z"


def text_of(value: Column, kind: DataType, zone: str = "") -> Column:
    """A value as text, "" where it is null or NaN: see `training.datasets.described.texts.text_of`.

    `zone` is what a time of the column ends with.
    """
    if isinstance(kind, FloatType | DoubleType):
        number = value.cast("double")
        is_whole = (number == F.floor(number)) & (F.abs(number) < _EXACT)
        written = F.when(is_whole, number.cast("bigint").cast("string")).otherwise(number.cast("string"))
        return F.coalesce(F.when(~F.isnan(number), written), F.lit(""))
    if isinstance(kind, TimestampType):
        written = F.regexp_replace(F.date_format(value, "yyyy-MM-dd HH:mm:ss.SSSSSS"), r"\.000000\z", "")
        return F.coalesce(F.concat(written, F.lit(zone)), F.lit(""))
    return F.coalesce(value.cast("string"), F.lit(""))


def number_of(value: Column, kind: DataType) -> Column:
    """A value as float64, null where it is no finite number."""
    if isinstance(kind, NumericType):
        found = value.cast("double")
        return F.when(F.abs(found) < _INFINITE, found)
    is_plain = value.eqNullSafe(value.cast("bigint").cast("string"))  # nearly all of them, and quick
    found = F.when(is_plain | value.rlike(exactly(NUMBER)), value.cast("double"))
    return F.when(F.abs(found) < _INFINITE, found)


def key_of(text: Column) -> Column:
    """A key's one text: see `features.values.key_of`."""
    large = text.contains(EXPONENT) & text.rlike(exactly(LARGE))
    whole = F.regexp_replace(text, exactly(WHOLE), "$1")
    return F.when(large, text.cast("double").cast("decimal(38,0)").cast("string")).otherwise(whole)


def click_of(text: Column, label: Label) -> Column:
    """0 or 1 by the label's rule, null where the rule does not apply: see `fields.is_click`."""
    if label.events:
        return F.when(text.isin(*label.positive), 1).when(text.isin(*label.negative), 0)
    if isinstance(label.equals, str):
        return F.when(text != "", (text == label.equals).cast("int"))
    if isinstance(label.equals, bool):
        word = F.lower(text)
        return F.when(word.isin("true", "false"), (word == str(label.equals).lower()).cast("int"))
    number = number_of(text, TEXT)
    if label.at_least is not None:
        return (number >= label.at_least).cast("int")
    if label.equals is not None:
        return (number == label.equals).cast("int")
    return F.when(number.isin(0.0, 1.0), number.cast("int"))


def time_of(text: Column, form: TimeFormat, zone: str = "UTC") -> Column:
    """A time in microseconds since 1970, null where it is none in this format: see `features.values.microseconds`."""
    if form is TimeFormat.MILLISECONDS:
        return _since_1970(text, 1_000)
    words = _in_words(text, form, zone)
    return F.coalesce(words, _since_1970(text, 1_000_000)) if form is TimeFormat.ISO else words


def _since_1970(text: Column, in_one: int) -> Column:
    found = number_of(text, TEXT) * in_one
    return F.when((found >= EARLIEST) & (found < LATEST), found.cast("bigint"))


def _in_words(text: Column, form: TimeFormat, zone: str) -> Column:
    pattern = YEAR_FIRST if form is TimeFormat.ISO else YEAR_LAST
    java = exactly(pattern.pattern.replace("(?P<", "(?<").replace("(?P=between)", r"\k<between>"))

    def part(name: str) -> Column:
        return F.regexp_extract(text, java, pattern.groupindex[name])

    def two_digits(name: str) -> Column:
        return F.lpad(part(name), 2, "0")

    if form is TimeFormat.ISO:
        date, is_one = part("date"), part("date") != ""
    else:
        day, month = ("first", "second") if form is TimeFormat.DAY_FIRST else ("second", "first")
        date, is_one = F.concat_ws("-", part("year"), two_digits(month), two_digits(day)), part("year") != ""
    clock, own = part("clock"), part("zone")
    seconds = F.when(clock == "", "00:00:00").when(F.length(clock) == len("00:00"), F.concat(clock, F.lit(":00")))
    moment = F.concat(date, F.lit(" "), seconds.otherwise(clock), F.when(own == "UTC", "Z").otherwise(own))
    found = F.when(is_one, moment).cast("timestamp")  # a time of day alone would be one of today
    if zone != "UTC":
        found = F.when(own == "", F.to_utc_timestamp(found, zone)).otherwise(found)
    return F.unix_micros(found)


def values_of(text: Column, separator: str) -> Column:
    """The distinct values in a field with several, array<string>; one "" if there are none."""
    parts = F.transform(F.split(text, re.escape(separator), -1), F.trim)
    values = F.array_distinct(F.filter(parts, lambda part: part != ""))
    return F.when(F.size(values) > 0, values).otherwise(F.array(F.lit("")))
