"""Rows as Spark keeps them come back as the kernels know them."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from training.kernels.columns import CATEGORIES, LABEL, NUMBERS, RAW, lists
from training.kernels.hashed import raw
from training.spark.scans import PACKED, packed, unpacked

ROWS = st.integers(1, 5).flatmap(
    lambda columns: st.lists(st.lists(st.text(max_size=6), min_size=columns, max_size=columns), min_size=1, max_size=9)
)


@given(ROWS, st.integers(0, 3), st.data())
def test_rows_are_the_same_after_a_while_as_bytes(rows: list[list[str]], numbers: int, data: st.DataObject) -> None:
    drawn = np.random.default_rng(len(rows)).normal(size=(len(rows), numbers))
    texts = [pa.array([row[at] for row in rows], pa.string()) for at in range(len(rows[0]))]
    columns = {
        LABEL: pa.array([1] * len(rows)),
        NUMBERS: lists(drawn),
        CATEGORIES: lists(drawn.view(np.int64)),
        RAW: raw(texts, len(rows)),
    }
    batch = pa.RecordBatch.from_pydict(columns)
    kept = packed(batch)
    assert {field.name for field in kept.schema if field.type == pa.binary()} == PACKED
    start = data.draw(st.integers(0, len(rows) - 1))
    found = unpacked(kept.slice(start))
    found.validate(full=True)
    assert found.to_pylist() == batch.slice(start).to_pylist()
