"""Segments in which a model is wrong are named, and those that differ by chance are not."""

import numpy as np
import pytest

from features.encoder import Encoder, RawRows
from features.hashing import Several, hash_values
from features.schema import Schema
from tests.support.prepared_rows import MemoryRows, prepared
from training.evaluation.segments import SHOWN_LENGTH, Slice, SlicedColumn, choose, measure_segments, value_names

SCHEMA = Schema(numeric=(), categorical=("c0", "c1", "c2"))


def encoder(*log_counts: list[float]) -> Encoder:
    """Columns c0, c1 ... whose values have the hashes 0, 1 ... and these log counts."""
    offsets = np.cumsum([0, *map(len, log_counts)])
    return Encoder(
        columns=tuple(f"c{index}" for index in range(len(log_counts))),
        offsets=offsets,
        hashes=np.concatenate([np.arange(len(counts)) for counts in log_counts]),
        rates=np.zeros(offsets[-1], np.float32),
        log_counts=np.concatenate(log_counts).astype(np.float32),
        unseen=np.zeros((len(log_counts), 2), np.float32),
    )


def gains(**columns: float) -> dict[str, float]:
    return {f"{name}_{kind}": gain for name, gain in columns.items() for kind in ("rate", "log_count")}


def constant(*, rows: int, clicks: int, probability: float) -> Slice:
    """A segment whose rows all have the same probability."""
    (found,) = measure_segments(
        np.arange(rows) < clicks, np.full(rows, probability), np.ones(rows, np.int8), column="a", names=["seven"]
    )
    return found


def test_the_columns_with_the_largest_gain_are_sliced_by_their_most_frequent_values() -> None:
    chosen = choose(encoder([1.0, 3.0, 2.0], [], [5.0] * 7), SCHEMA, gains(c0=1.0, c1=9.0, c2=2.0))
    assert [column.index for column in chosen] == [2, 0]
    assert chosen[0].hashes.tolist() == [0, 1, 2, 3, 4]
    assert chosen[1].hashes.tolist() == [1, 2, 0]


def test_a_row_is_in_the_slice_of_its_value_or_in_that_of_all_others() -> None:
    column = SlicedColumn(index=1, hashes=np.array([7, 5]))
    fields = [np.array([7, 5, 5]), np.array([5, 7, 9]), np.array([7, 7, 7])]
    found = column.bits(RawRows(schema=SCHEMA, fields=fields), encoder([]))
    assert found.tolist() == [0b10, 0b1, 0b100]


def test_a_row_is_in_the_slice_of_each_frequent_value_it_has_or_in_that_of_all_others() -> None:
    column = SlicedColumn(index=0, hashes=np.array([7, 5]))
    values = Several(hashes=np.array([3, 5, 7, 8, 9, 7]), row=np.array([0, 0, 0, 1, 1, 2]))
    schema = Schema(numeric=(), categorical=("c0",), separators={"c0": "|"})
    found = column.bits(RawRows(schema=schema, fields=[values]), encoder([]))
    assert found.tolist() == [0b11, 0b100, 0b1]


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
    assert found[1].normalized_entropy == pytest.approx(1.0)
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
    assert found.normalized_entropy is None
    assert found.log_loss == pytest.approx(-np.log(0.8))


OF_TEXTS = Schema(numeric=(), categorical=("a", "b"))


@pytest.mark.parametrize("pieces", [1, 4])
def test_names_are_found_among_the_first_rows_or_after_them(pieces: int) -> None:
    records = [{"a": a, "b": b} for a, b in (("one", ""), ("two", "x" * 100), ("one", "x" * 100), ("three", ""))]
    each = len(records) // pieces
    batches = (prepared(records[start : start + each], OF_TEXTS) for start in range(0, len(records), each))
    columns = [
        SlicedColumn(index=1, hashes=hash_values(["x" * 100, ""])),
        SlicedColumn(index=0, hashes=hash_values(["three", "never seen", "one"])),
    ]
    found = value_names(MemoryRows(tuple(batches)), OF_TEXTS, columns)
    assert found == [["x" * SHOWN_LENGTH, ""], ["three", "", "one"]]


def test_of_a_field_with_several_values_the_one_is_named() -> None:
    schema = Schema(numeric=(), categorical=("a", "b"), separators={"b": "|"})
    records = [{"a": "", "b": text} for text in ("Drama|Comedy", " Noir || War ", "")]
    columns = [SlicedColumn(index=1, hashes=hash_values(["War", "Western", "Comedy", ""]))]
    assert value_names(MemoryRows((prepared(records, schema),)), schema, columns) == [["War", "", "Comedy", ""]]
