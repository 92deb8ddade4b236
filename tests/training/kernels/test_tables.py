"""The tables of a description, block by block, against the rules for one line and one field."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.columns import Category, Number, Reading
from features.columns import Time as TimeColumn
from features.values import TimeFormat, key_of, microseconds
from training.config import Label, Source, TextFormat, Time
from training.errors import BadRowsError
from training.kernels.columns import LABEL, TIME
from training.tables.files import TableFile
from training.tables.keys import KnownKeys
from training.tables.texts import parse, texts_of
from training.tables.typed import TableRules, checks, is_click, keys_of, typed

NAMES = ["a", "b", "c"]
FIELD = st.text(st.sampled_from([*"ab,;'\"\t |", "é", "\u2028"]), max_size=4)


def of_text(**written: Any) -> TableFile:
    return TableFile(Path("rows.csv"), text=TextFormat(**written))


@given(
    st.lists(st.lists(FIELD, min_size=3, max_size=3), max_size=8),
    st.sampled_from([",", "\t", ";", "|"]),
    st.sampled_from(['"', "'"]),
    st.sampled_from(["utf-8", "latin-1", "cp1252"]),
)
def test_what_a_csv_writer_wrote_is_read_as_python_reads_it(
    rows: list[list[str]], separator: str, quote: str, encoding: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quotechar=quote, lineterminator="\n").writerows([NAMES, *rows])
    body = text.getvalue().split("\n", 1)[1]
    if encoding != "utf-8":
        body = body.replace("\u2028", "ß")
    file = of_text(separator=separator, quote=quote, encoding=encoding)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, quotechar=quote)
    read = [(row, reader.line_num) for row in reader]
    if [place for _, place in read] != list(range(1, len(read) + 1)):  # some row is on several lines
        with pytest.raises(BadRowsError):
            parse(body.encode(encoding), NAMES, file)
        return
    lines = body.split("\n")
    kept = [row for (row, place) in read if lines[place - 1].strip(" \t\r")]
    columns = {name: column.to_pylist() for name, column in parse(body.encode(encoding), NAMES, file).items()}
    assert columns == {name: [row[place] for row in kept] for place, name in enumerate(NAMES)}


@pytest.mark.parametrize("body", ["1,2\n", "1,2,3,4\n", '1,"2\n2",3\n', '1,"2\r2",3\n', '1,2,"3\n'])
def test_lines_that_are_not_split_as_the_header_are_noticed(body: str) -> None:
    with pytest.raises(BadRowsError):
        parse(f"1,2,3\n{body}".encode(), NAMES, of_text())


def test_bytes_that_are_not_utf_8_are_noticed() -> None:
    with pytest.raises(BadRowsError):
        parse(b"1,2,\xff\n", NAMES, of_text())


WORDS = ("", "0", "1", "1.0", "12.0", "012", "a1", "+3", "1e400", "NaN", "true", "yes", "NA", "-0.0", "1769853600.25")
TIMES = ("2026-01-31", "2026-01-31 10:00:00", "2026-01-31T11:00:00+01:00", "2026-02-30")
TEXT = st.sampled_from([*WORDS, *TIMES])
RULES = TableRules(
    source=Source(path=Path("rows.csv")),
    files=(),
    keys={"joined": "key"},
    features=[Number(name="number", at=0), Category(name="word", at=1, index=0, separator="e")],
    label=Label(column="label", at_least=1),
    timestamp=Time(column="time"),
    missing={name: frozenset({"", "NA"}) for name in ("key", "number", "word", "label", "time")},
)


@pytest.mark.parametrize(
    ("label", "clicks", "others"),
    [
        (Label(column="text"), ["1", "1.0"], ["0", "0.0"]),
        (Label(column="text", at_least=4), ["4", "4.5", "1e2"], ["3.9", "-5"]),
        (Label(column="text", equals=1), ["1", "1.0"], ["0", "7"]),
        (Label(column="text", equals="buy"), ["buy"], ["view", "Buy"]),
        (Label(column="text", equals=False), ["false", "FALSE"], ["true"]),
        (Label(column="text", positive=("buy", "1"), negative=("view",)), ["buy", "1"], ["view"]),
    ],
)
def test_the_rule_makes_the_label(label: Label, clicks: list[str], others: list[str]) -> None:
    rules = TableRules(source=Source(path=Path("rows.csv")), files=(), keys={}, label=label)
    made = typed({"text": pa.array(clicks + others)}, rules).columns[LABEL]
    assert made.to_pylist() == [1] * len(clicks) + [0] * len(others)


@given(st.lists(st.tuples(*[TEXT] * 5), min_size=1, max_size=4))
def test_a_table_is_refused_when_a_field_is_and_else_is_what_its_fields_say(rows: list[tuple[str, ...]]) -> None:
    names = ["key", "number", "word", "label", "time"]
    texts = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    if not all(check.is_right(text) for check in checks(RULES) for text in texts[check.column]):
        with pytest.raises(BadRowsError):
            typed(columns, RULES)
        return
    table = typed(columns, RULES)
    present = {name: ["" if text == "NA" else text for text in values] for name, values in texts.items()}
    assert table.columns["joined"].to_pylist() == [key_of(text) for text in present["key"]]
    assert table.features["word"].to_pylist() == present["word"]
    np.testing.assert_array_equal(table.features["number"], [float(text or "nan") for text in present["number"]])
    assert RULES.label is not None
    assert table.columns[LABEL].to_pylist() == [int(bool(is_click(text, RULES.label))) for text in present["label"]]
    assert table.columns[TIME].to_pylist() == [microseconds(text) for text in present["time"]]
    assert table.uses["filled word"] == sum(map(bool, texts["word"]))
    assert table.uses["present word"] == sum(map(bool, present["word"]))
    assert table.uses["separated word"] == sum("e" in text for text in present["word"])


SAME_KEYS = {
    "12.0": "12",
    "-7.": "-7",
    "9007199254740992.0": "9007199254740992",
    "1e+16": "10000000000000000",
    "1.2345678901234568e+18": "1234567890123456768",
    "1.8446744073709552e+19": "18446744073709551616",
}
"""Keys as tables of floats write them, and as those of integers do."""
OTHER_KEYS = ["12", "012.5", "a12.0", "12e5", "1e16", "1e+15", "1e+400", "e+", ""]


def test_a_float_is_the_key_of_its_integer() -> None:
    assert {text: key_of(text) for text in SAME_KEYS} == SAME_KEYS
    assert [key_of(text) for text in OTHER_KEYS] == OTHER_KEYS
    assert key_of(12) == "12"


@given(st.lists(st.text(st.sampled_from("-0.17a\n"), max_size=5) | st.sampled_from([*SAME_KEYS, *OTHER_KEYS])))
def test_many_keys_are_what_each_is(texts: list[str]) -> None:
    assert keys_of(pa.array(texts, pa.string())).to_pylist() == [key_of(text) for text in texts]


def test_a_time_is_read_in_the_format_of_its_column() -> None:
    time = Time(column="time", format=TimeFormat.DAY_FIRST)
    rules = TableRules(source=Source(path=Path("rows.csv")), files=(), keys={}, timestamp=time)
    table = typed({"time": pa.array(["02/09/2026", "13/09/2026 12:00"])}, rules)
    moments = [datetime(2026, 9, 2, tzinfo=UTC), datetime(2026, 9, 13, 12, tzinfo=UTC)]
    assert table.columns[TIME].to_pylist() == [round(moment.timestamp() * 1_000_000) for moment in moments]
    for wrong in ("09/13/2026", "1769853600", "2026-09-13", ""):
        with pytest.raises(BadRowsError):
            typed({"time": pa.array([wrong])}, rules)


WITHOUT_ZONE = r"(0|1|2)9[0-9]{2}-[01][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,7})?)?)?"


@given(st.lists(st.from_regex(WITHOUT_ZONE, fullmatch=True), min_size=1, max_size=3))
def test_many_times_without_a_zone_are_what_each_is(texts: list[str]) -> None:
    rules = TableRules(source=Source(path=Path("rows.csv")), files=(), keys={}, timestamp=Time(column="time"))
    each = [microseconds(text) for text in texts]
    if None in each:
        with pytest.raises(BadRowsError):
            typed({"time": pa.array(texts)}, rules)
        return
    table = typed({"time": pa.array(texts)}, rules)
    assert table.columns[TIME].to_pylist() == each


@given(st.lists(st.text(), min_size=1, unique=True), st.lists(st.text()))
def test_keys_are_found_in_the_rows_that_have_them(known: list[str], others: list[str]) -> None:
    asked = [*others, *known[::2], *others]
    expected = [known.index(key) if key in known else None for key in asked]
    assert KnownKeys.of(pa.array(known, pa.string())).find(pa.array(asked, pa.string())).to_pylist() == expected


MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 - columns have their own zone
KINDS = {
    pa.int64(): st.integers(-(2**60), 2**60) | st.integers(-1, 2_000_000_000),
    pa.float64(): st.floats() | st.integers(-1, 2_000_000_000).map(float),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
    pa.timestamp("us"): MOMENTS,
    pa.timestamp("ns", "Asia/Tokyo"): MOMENTS,
}
LOWEST = -(2**63)
EDGES = [
    pa.array([LOWEST, 2**63 - 1, 10**16, 1], pa.int64()),
    pa.array([float("inf"), 1.0]),
    pa.array([1.0, -float("inf")]),
    *(pa.array([datetime(year, 1, 3)], pa.timestamp("us")) for year in (1, 500, 1000, 9999)),  # noqa: DTZ001 - see above
]
MEANINGS = [
    {"features": [Number(name="x", at=0)], "missing": {"x": frozenset({"", "0", "-1"})}},
    {"features": [Number(name="x", at=0)], "missing": {"x": frozenset({"", "inf", "1e+16", str(LOWEST)})}},
    {"features": [TimeColumn(name="x", at=0, reading=Reading(zone="Europe/Berlin"))]},
    {"timestamp": Time(column="x")},
    *({"timestamp": Time(column="x", format=one)} for one in (TimeFormat.MILLISECONDS, TimeFormat.MICROSECONDS)),
    {"label": Label(column="x", at_least=1)},
]


@given(st.data(), st.sampled_from([*KINDS]), st.sampled_from(MEANINGS))
def test_columns_of_parquet_mean_what_their_texts_say(data: st.DataObject, kind: pa.DataType, means: Any) -> None:
    mean_the_same(pa.array(data.draw(st.lists(st.none() | KINDS[kind], min_size=1, max_size=4)), kind), means)


@pytest.mark.parametrize("means", MEANINGS)
@pytest.mark.parametrize("values", EDGES, ids=str)
def test_the_largest_numbers_and_earliest_times_mean_what_their_texts_say(values: pa.Array, means: Any) -> None:
    mean_the_same(values, means)


def mean_the_same(values: pa.Array, means: Any) -> None:
    rules = TableRules(source=Source(path=Path("rows.parquet")), files=(), keys={}, **means)

    def meant(column: pa.Array) -> object:
        try:
            table = typed({"x": column}, rules)
        except BadRowsError:
            return "refused"
        found = [*table.features.values(), *table.columns.values()]
        return [[None if number != number else number for number in array.to_pylist()] for array in found]  # noqa: PLR0124 - NaN

    assert meant(values) == meant(texts_of(values))
