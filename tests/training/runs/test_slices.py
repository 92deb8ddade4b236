"""The names of segments' values, wherever their rows are."""

import numpy as np
import pytest

from features.hashing import MISSING_HASH, hash_values, pair_hashes
from features.schema import Schema
from tests.support.prepared_rows import MemoryRows, prepared
from training.kernels.names import SHOWN_LENGTH
from training.metrics.slices import SlicedColumn, value_names

SCHEMA = Schema(numeric=(), categorical=("a", "b"))


@pytest.mark.parametrize("pieces", [1, 4])
def test_names_are_found_among_the_first_rows_or_after_them(pieces: int) -> None:
    records = [{"a": a, "b": b} for a, b in (("one", ""), ("two", "x" * 100), ("one", "x" * 100), ("three", ""))]
    each = len(records) // pieces
    batches = (prepared(records[start : start + each], SCHEMA) for start in range(0, len(records), each))
    columns = [
        SlicedColumn(index=1, hashes=hash_values(["x" * 100, ""])),
        SlicedColumn(index=0, hashes=hash_values(["three", "never seen", "one"])),
    ]
    found = value_names(MemoryRows(tuple(batches)), SCHEMA, columns)
    assert list(found) == ["x" * SHOWN_LENGTH, "", "three", "", "one"]


def test_of_a_field_with_several_values_the_one_is_named() -> None:
    schema = Schema(numeric=(), categorical=("a", "b"), separators={"b": "|"})
    records = [{"a": "", "b": text} for text in ("Drama|Comedy", " Noir || War ", "")]
    columns = [SlicedColumn(index=1, hashes=hash_values(["War", "Western", "Comedy", ""]))]
    assert list(value_names(MemoryRows((prepared(records, schema),)), schema, columns)) == ["War", "", "Comedy", ""]


def test_a_pair_is_named_by_both_values() -> None:
    schema = Schema(numeric=(), categorical=("a", "b"), separators={"b": "|"}, crosses=(("a", "b"),))
    records = [{"a": "u1", "b": "Drama|Comedy"}, {"a": "", "b": "War"}, {"a": "u2", "b": "War"}]
    pairs = [("u1", "Comedy"), ("u2", "War"), ("u1", "War")]
    hashes = pair_hashes(*(hash_values(texts) for texts in zip(*pairs, strict=True)))
    columns = [SlicedColumn(index=2, hashes=np.append(hashes, MISSING_HASH))]
    found = value_names(MemoryRows((prepared(records, schema),)), schema, columns)
    assert list(found) == ["u1 x Comedy", "u2 x War", "", ""]


def test_no_columns_need_no_names() -> None:
    assert list(value_names(MemoryRows(()), SCHEMA, [])) == []
