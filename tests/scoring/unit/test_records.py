"""Decoding of requests, compared with plain Python."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.schema import Schema
from scoring.errors import RecordTypeError
from scoring.model import diagnosis as module
from scoring.model.records import RequestTypes
from scoring.native import Kernel
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


@given(records.filter(bool), st.data())
def test_a_field_given_twice_is_always_found(
    kernel: Kernel | None, record: dict[str, Any], data: st.DataObject
) -> None:
    types = RequestTypes(SCHEMA, max_records=5, kernel=kernel)
    name = data.draw(st.sampled_from(sorted(record)))
    second = data.draw(numbers if name in SCHEMA.numeric else texts)
    pairs = [*record.items(), (name, second)]
    order = data.draw(st.permutations(pairs))
    body = "{" + ",".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in order) + "}"
    with pytest.raises(Rejection, match="is given twice") as caught:
        types.read_score(body.encode())
    assert caught.value.field == name
    with pytest.raises(Rejection, match="is given twice") as caught:
        types.read_score(b'{"records": [{}, ' + body.encode() + b"]}")
    assert caught.value.field == f"records[1].{name}"
    with pytest.raises(Rejection, match="is given twice"):
        types.read_rank(b'{"user": {}, "items": [' + body.encode() + b"]}")


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


def _expected(record: dict[str, Any], name: str) -> Any:
    value = record.get(name)
    return float(value) if isinstance(value, int) and name in SCHEMA.numeric else value


def _plain(value: Any) -> Any:
    missing = value is None or (isinstance(value, float) and np.isnan(value)) or type(value).__name__ == "UnsetType"
    return None if missing else value


def test_colons_in_values_ask_for_no_second_look(kernel: Kernel | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: bytes) -> str | None:
        raise AssertionError("the slow look was taken")

    monkeypatch.setattr(module, "find_duplicate", look)
    batch = [{"class": "https://a?12:30", "émoji": "09:15:00", "age": 1}] * 5
    types = RequestTypes(SCHEMA, max_records=5, kernel=kernel)
    assert len(types.read_score(json.dumps({"records": batch}).encode())[0]) == 5


COLONS = st.text(st.sampled_from(':" \\\tab'), max_size=6)


@given(first=COLONS, second=COLONS, before=st.sampled_from(["", " ", "\n", "\t", "\r"]), last=COLONS)
def test_a_name_given_twice_is_found_whatever_colons_stand_around_it(
    first: str, second: str, before: str, last: str
) -> None:
    values = [json.dumps(text) for text in (first, second, last)]
    body = f'{{"class"{before}: {values[0]}, "émoji": {values[2]}, "class"{before}:{values[1]}}}'.encode()
    with pytest.raises(Rejection, match="class is given twice"):
        TYPES.read_score(body)
