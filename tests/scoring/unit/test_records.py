"""Decoding of requests, compared with plain Python."""

import json
import tracemalloc
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.schema import Schema
from scoring.model.records import RecordTypeError, RequestTypes
from scoring.request_errors import Refusal, Rejection

SCHEMA = Schema(numeric=("age", "a b"), categorical=("class", "c[1].`x`", "émoji"))
TYPES = RequestTypes(SCHEMA, max_records=5)

numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70))
texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1))
records = st.fixed_dictionaries(
    {},
    optional={**dict.fromkeys(SCHEMA.numeric, numbers), **dict.fromkeys(SCHEMA.categorical, texts)},
)


@given(record=records, escaped=st.booleans())
def test_a_record_decodes_to_its_values_in_the_order_of_the_schema(record: dict[str, Any], *, escaped: bool) -> None:
    (values,), is_batch = TYPES.read_score(json.dumps(record, ensure_ascii=escaped).encode())
    assert not is_batch
    assert [_plain(value) for value in values] == [_expected(record, name) for name in SCHEMA.features]


@given(st.lists(records, min_size=1, max_size=5))
def test_a_batch_decodes_to_the_values_of_each_record(batch: list[dict[str, Any]]) -> None:
    rows, is_batch = TYPES.read_score(json.dumps({"records": batch}).encode())
    assert is_batch
    assert [[_plain(value) for value in row] for row in rows] == [
        [_expected(record, name) for name in SCHEMA.features] for record in batch
    ]


@pytest.mark.parametrize(
    ("body", "cause", "field"),
    [
        ('{"c[1].`x`": true}', Refusal.WRONG_TYPE, "c[1].`x`"),
        ('{"records": [{"c[1].`x`": true}]}', Refusal.WRONG_TYPE, "records[0].c[1].`x`"),
        ('{"émoji": true}', Refusal.WRONG_TYPE, "émoji"),
        ('{"f0": 1}', Refusal.UNKNOWN_FIELD, "f0"),
        ('{"a` - at `$.b": 1}', Refusal.UNKNOWN_FIELD, None),
    ],
)
def test_odd_names_are_named_rightly(body: str, cause: Refusal, field: str | None) -> None:
    with pytest.raises(Rejection) as caught:
        TYPES.read_score(body.encode())
    assert caught.value.refusal is cause
    assert field is None or caught.value.field == field


def test_a_long_unknown_name_is_cut() -> None:
    with pytest.raises(Rejection, match="is unknown") as caught:
        TYPES.read_score(json.dumps({"x" * 10_000: 1}).encode())
    assert len(caught.value.body()) < 500


def test_a_column_named_like_the_batch_is_refused() -> None:
    with pytest.raises(RecordTypeError, match="`records`"):
        RequestTypes(Schema(numeric=("records",), categorical=()), max_records=5)


def test_a_column_called_id_is_an_items_id_too() -> None:
    types = RequestTypes(Schema(numeric=("age",), categorical=("id",)), max_records=5)
    rows, ids, top = types.read_rank(b'{"user": {"age": 3}, "items": [{"id": "a"}, {}, {"id": null}], "top": 2}')
    assert rows == [(3.0, "a"), (3.0, msgspec.UNSET), (3.0, None)]
    assert (ids, top) == (["a", msgspec.UNSET, None], 2)


def _expected(record: dict[str, Any], name: str) -> Any:
    value = record.get(name)
    return float(value) if isinstance(value, int) and name in SCHEMA.numeric else value


def _plain(value: Any) -> Any:
    missing = value is None or (isinstance(value, float) and np.isnan(value)) or type(value).__name__ == "UnsetType"
    return None if missing else value


def test_a_closer_look_at_a_wrong_body_takes_little_memory() -> None:
    """The place of each number in it would be 16 MB."""
    deep = b'{"%s":' % (b"k" * 100) * 200 + b"[%s]" % b",".join([b"0"] * 50_000) + b"}" * 200
    tracemalloc.start()
    with pytest.raises(Rejection, match="not valid JSON"):
        RequestTypes(SCHEMA, max_records=20_000).read_score(b'{"age":NaN,"x":%s,"age":1}' % deep)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
