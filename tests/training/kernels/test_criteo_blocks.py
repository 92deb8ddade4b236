"""Blocks of Criteo's rows against a reading of one line after the other."""

import math
import re

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from features.schema import CRITEO
from features.values import NUMBER
from training.datasets.errors import BadRowsError
from training.engines.reading.criteo import parse

ROW = "\t".join(["1", *["5"] * 13, *["68fd1e64"] * 26])
NUMBERS = st.sampled_from(["", "0", "-3", "+5", "5.", ".5", "1e3", "007", "1.7976931348623157e308"])
TEXTS = st.text(st.characters(exclude_characters="\t\r\n", codec="utf-8"), max_size=12)


@st.composite
def lines(draw: st.DrawFn) -> str:
    fields = [draw(st.sampled_from("01")), *(draw(NUMBERS) for _ in CRITEO.numeric)]
    few = draw(st.lists(TEXTS, min_size=1, max_size=4))
    return "\t".join([*fields, *(draw(st.sampled_from(few)) for _ in CRITEO.categorical)])


@given(st.lists(lines(), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_every_field_is_what_its_line_says(rows: list[str], end: str) -> None:
    block = (end.join(rows) + end).encode()
    fields = parse(block)
    split = [row.split("\t") for row in rows]
    assert fields.label.tolist() == [int(row[0]) for row in split]
    for index in range(13):
        expected = [float(row[1 + index]) if row[1 + index] else math.nan for row in split]
        np.testing.assert_array_equal(fields.numeric[index], expected)
    for index in range(26):
        assert fields.categorical[index].to_pylist() == [row[14 + index] for row in split]


def test_the_last_line_needs_no_end() -> None:
    assert len(parse(f"{ROW}\n{ROW}".encode())) == 2


@given(st.text(st.characters(exclude_characters="\t\r\n", codec="utf-8"), max_size=8))
@example("1_000")
@example("\u0661")
def test_what_is_no_number_by_the_rule_is_none_here(text: str) -> None:
    assume(not re.fullmatch(NUMBER, text) and text)
    block = ROW.replace("5", text, 1).encode()
    with pytest.raises(BadRowsError):
        parse(block)


def test_quotes_are_characters_like_others() -> None:
    fields = parse(ROW.replace("68fd1e64", '"a', 1).encode())
    assert fields.categorical[0].to_pylist() == ['"a']


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    block = ROW.encode().replace(b"68fd1e64", b"\xff", 1)
    with pytest.raises(BadRowsError):
        parse(block)
