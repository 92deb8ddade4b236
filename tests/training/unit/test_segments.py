"""Segments in which a model is wrong are named, and those that differ by chance are not."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from features.encoder import Encoder, RawRows
from features.hashing import Several, hash_value
from features.schema import Schema
from training.evaluation.segments import SHOWN_LENGTH, Slice, SlicedColumn, choose, measure_segments


def encoder(*tables: Mapping[str, float]) -> Encoder:
    """Columns c0, c1 ... whose values have these log counts."""
    columns = [sorted((hash_value(text), count) for text, count in table.items()) for table in tables]
    flat = [entry for column in columns for entry in column]
    return Encoder(
        columns=tuple(f"c{index}" for index in range(len(tables))),
        offsets=np.cumsum([0, *map(len, tables)]),
        hashes=np.array([value for value, _ in flat], dtype=np.int64),
        rates=np.zeros(len(flat), np.float32),
        log_counts=np.array([count for _, count in flat], dtype=np.float32),
        unseen=np.zeros((len(tables), 2), np.float32),
    )


def gains(**columns: float) -> dict[str, float]:
    return {f"{name}_{kind}": gain for name, gain in columns.items() for kind in ("rate", "log_count")}


def constant(*, rows: int, clicks: int, probability: float) -> Slice:
    """A segment whose rows all have the same probability."""
    (found,) = measure_segments(
        np.arange(rows) < clicks, np.full(rows, probability), np.ones(rows, np.int8), column="a", names=["seven"]
    )
    return found


def test_the_columns_with_the_largest_gain_are_sliced_by_their_most_frequent_values_among_some_rows() -> None:
    schema = Schema(numeric=(), categorical=("c0", "c1", "c2"), separators={"c2": "|"})
    texts = [["a", "c", "b", "a"], ["d"], ["g|h| i", "", "x" * 100 + "|k", "g"]]
    counts = {"a": 1.0, "b": 3.0, "c": 2.0}
    of_several = {"never seen": 9.0, "g": 8.0, "": 7.0, "i": 6.0, "x" * 100: 5.0, "h": 4.0, "k": 3.0}
    chosen = choose(encoder(counts, {}, of_several), schema, gains(c0=1.0, c1=9.0, c2=2.0), list(map(pa.array, texts)))
    assert [column.index for column in chosen] == [2, 0]
    assert chosen[0].names == ("g", "", "i", "x" * SHOWN_LENGTH, "h")
    assert chosen[1].names == ("b", "c", "a")
    assert chosen[1].hashes == tuple(map(hash_value, chosen[1].names))


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        (np.array([5, 7, 9]), [0b10, 0b1, 0b100]),
        (
            Several(hashes=np.array([3, 5, 7, 8, 9, 7]), row=np.array([0, 0, 0, 1, 1, 2])),
            [0b11, 0b100, 0b1],
        ),
    ],
)
def test_a_row_is_in_the_slice_of_each_frequent_value_or_in_that_of_all_others(
    values: npt.NDArray[np.int64] | Several, bits: list[int]
) -> None:
    schema = Schema(numeric=(), categorical=("c0",), separators={"c0": "|"} if isinstance(values, Several) else {})
    column = SlicedColumn(index=0, hashes=(7, 5), names=("seven", "five"))
    assert column.bits(RawRows(schema=schema, fields=[values]), encoder({})).tolist() == bits


def test_each_slice_with_rows_is_measured_under_its_columns_and_values_name() -> None:
    """Every second of 500 rows has both of two values, every fifth of the others none of the three."""
    bits = np.where(np.arange(500) % 2 == 0, 0b11, np.where(np.arange(500) % 5 == 0, 0b1000, 0b1)).astype(np.int8)
    clicked = np.arange(500) % 10 < 2
    found = measure_segments(clicked, np.full(500, 0.2), bits, column="b", names=["six", "seven", "eight"])
    assert [(part.column, part.value, part.rows) for part in found] == [
        ("b", "six", 450),
        ("b", "seven", 250),
        ("b", None, 50),
    ]
    assert found[1].clicks == 50
    assert found[1].auc == 0.5
    assert found[1].log_loss == pytest.approx(0.500402, abs=1e-6)
    assert found[1].calibration_error == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("probability", "rows", "clicks", "off"),
    [
        pytest.param(0.2, 1_000, 200, False, id="as predicted"),
        pytest.param(0.2, 1_000, 240, False, id="by chance"),
        pytest.param(0.2, 1_000_000, 205_000, False, id="beyond chance but too little to matter"),
        pytest.param(0.2, 1_000, 300, True, id="too many"),
        pytest.param(0.2, 10_000, 1_700, True, id="too few"),
        pytest.param(0.2, 1, 1, False, id="the click of a single row"),
        pytest.param(0.01, 20, 3, False, id="three of 0.2: 1 - exp(-0.2) (1 + 0.2 + 0.02) is 0.0011"),
        pytest.param(0.01, 20, 4, False, id="four of 0.2: less 0.2^3 / 6 exp(-0.2), 0.000057"),
        pytest.param(0.01, 20, 5, True, id="five of 0.2: less 0.2^4 / 24 exp(-0.2), 0.0000023"),
        pytest.param(0.01, 1_040, 0, True, id="none of 10.4: exp(-10.4) is 0.0000304"),
        pytest.param(0.01, 1_030, 0, False, id="none of 10.3: exp(-10.3) is 0.0000336"),
    ],
)
def test_a_slice_is_off_when_its_clicks_miss_by_more_than_chance_and_enough_to_matter(
    *, probability: float, rows: int, clicks: int, off: bool
) -> None:
    assert constant(rows=rows, clicks=clicks, probability=probability).off is off


def test_a_slice_of_one_label_has_no_auc() -> None:
    found = constant(rows=10, clicks=0, probability=0.2)
    assert found.auc is None
    assert found.log_loss == pytest.approx(-np.log(0.8))
