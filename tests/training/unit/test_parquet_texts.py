"""A value of a Parquet column becomes the same text, whatever else is installed and whoever writes it."""

import math
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tests.support.rows import refused
from training.errors import DatasetError
from training.parameters import TablesDataset
from training.tables.files import TableFile
from training.tables.texts import chunks, texts_of


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_duration_is_written_as_python_does_in_every_unit(unit: str) -> None:
    lasted = timedelta(days=1, seconds=90)
    values = pa.array([lasted, None], pa.duration("us")).cast(pa.duration(unit))
    assert texts_of(values).to_pylist() == ["1 day, 0:01:30", ""]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array([253_402_300_800_000_000], pa.timestamp("us")), id="after the year 9999"),
        pytest.param(pa.array([0], pa.timestamp("us", "Nowhere/Town")), id="in no known zone"),
    ],
)
def test_a_time_that_has_no_text_is_a_fault_of_its_file(values: pa.Array, tmp_path: Path) -> None:
    table = pa.table({"when": [*values, *values], "hit": ["1", "0"], "seen": [[{"at": at}] for at in [*values] * 2]})
    parquet.write_table(table, tmp_path / "seen.parquet")
    for column in ("when", {"column": "seen", "separator": "|"}):
        config = {"interactions": "seen.parquet", "label": {"column": "hit"}, "categorical": [column]}
        (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(config))
        message = refused(DatasetError, TablesDataset(kind="tables", spec=tmp_path / "dataset.yaml"))
        assert message.startswith(f"{tmp_path / 'seen.parquet'} cannot be read: a ")
        assert "has no text" in message


def test_nanoseconds_in_lists_have_a_text_whatever_is_imported(tmp_path: Path) -> None:
    moments = pa.array([[{"at": 1}]], pa.list_(pa.struct([("at", pa.timestamp("ns"))])))
    assert "pandas" in sys.modules, "for times of nanoseconds Arrow makes what pandas has, once it is imported"
    parquet.write_table(pa.table({"seen": moments}), tmp_path / "seen.parquet")
    (chunk,) = chunks(TableFile(tmp_path / "seen.parquet", lists=(("seen", "|"),)), ["seen"])
    assert chunk.columns()["seen"].to_pylist() == ['{"at":"1970-01-01T00:00:00"}']


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["a", None, ""]), ["a", "", ""]),
        (pa.array([b"\xc3\xa4", None]), ["ä", ""]),
        (pa.array(["a", None], pa.large_string()), ["a", ""]),
        (pa.array([-(2**63), None, 7]), ["-9223372036854775808", "", "7"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([True, False, None]), ["true", "false", ""]),
        (pa.array([0.5, None], pa.float32()), ["0.5", ""]),
        (pa.array([0.5, 3.0]).cast(pa.float16()), ["0.5", "3"]),
        (pa.array([Decimal("1.50"), None]), ["1.50", ""]),
        (pa.array([date(2026, 1, 31), None]), ["2026-01-31", ""]),
        (pa.array([None, None]), ["", ""]),
        (pa.array([], pa.float64()), []),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", "", "a"]),
        (pa.array(["a", "b", "c"])[1:], ["b", "c"]),
        (pa.array([1e12, 0.25, None])[1:], ["0.25", ""]),
    ],
    ids=lambda one: str(one.type) if isinstance(one, pa.Array) else "",
)
def test_every_type_has_its_text(values: pa.Array, texts: list[str]) -> None:
    assert texts_of(values).to_pylist() == texts


@given(st.lists(st.none() | st.floats(allow_infinity=True) | st.integers(-(2**60), 2**60).map(float)))
def test_numbers_are_written_as_python_does_and_whole_ones_without_a_point(numbers: list[float | None]) -> None:
    texts = texts_of(pa.array(numbers, pa.float64())).to_pylist()
    for number, text in zip(numbers, texts, strict=True):
        if number is None or math.isnan(number):
            assert text == ""
        else:
            whole = number.is_integer() and abs(number) < 2**53
            assert text == (str(int(number)) if whole else repr(number))
