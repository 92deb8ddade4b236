"""JSON lines, lists and structs: read alike from JSON and Parquet, and what is wrong in them is named by its line."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from tests.support.guessed_tables import described
from tests.support.rows import read, refused
from training import datasets
from training.errors import ColumnError, MalformedRowError, SpecError
from training.parameters import TablesDataset

ROWS: list[dict[str, Any]] = [
    {
        "user": "u1",
        "rating": 5,
        "tags": ["a", "b"],
        "seen": {"device": "phone", "on": "2026-01-31"},
        "vector": [0.5, 2.0],
    },
    {"user": "012", "rating": 1, "tags": [], "seen": {"device": "tv", "on": "2026-02-01"}, "vector": [1.5, -1]},
    {"user": "12", "rating": 4, "tags": None, "seen": None, "vector": None},
]
SPEC: dict[str, Any] = {
    "interactions": "seen.jsonl",
    "label": {"column": "rating", "at_least": 4},
    "numeric": [{"column": "vector", "length": 2}],
    "categorical": ["user", "seen.device", "seen.on", {"column": "tags", "separator": "|"}],
}


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def dataset(folder: Path, **changes: object) -> TablesDataset:
    (folder / "dataset.yaml").write_text(yaml.safe_dump({**SPEC, **changes}))
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


@pytest.mark.parametrize("name", ["seen.jsonl", "seen.json.gz", "seen.ndjson", "seen.parquet"])
def test_lists_and_structs_are_columns(tmp_path: Path, name: str) -> None:
    content = ("\ufeff" + lines(ROWS[:1]) + "\n  \r\n" + lines(ROWS[1:])).encode()
    if name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    of = dataset(tmp_path, interactions=name)
    datasets.describe(of)
    rows, schema = read(of)
    assert schema.numeric == ("vector.0", "vector.1")
    assert rows[["user", "label", "tags", "seen.device", "seen.on"]].to_numpy().tolist() == [
        ["u1", 1, "a|b", "phone", "2026-01-31"],
        ["012", 0, "", "tv", "2026-02-01"],
        ["12", 1, "", "", ""],
    ]
    np.testing.assert_array_equal(rows[["vector.0", "vector.1"]], [[0.5, 2.0], [1.5, -1.0], [np.nan, np.nan]])


def test_a_line_without_an_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl").write_text(lines(ROWS) + '\n{"user": "u3"\n[1]\n' + lines(ROWS))
    text = refused(MalformedRowError, dataset(tmp_path))
    assert (
        f"{tmp_path}/seen.jsonl: 2 of 8 rows are no JSON object: line 5 has '{{\"user\": \"u3\"', line 6 has '[1]'"
        in text
    )


def test_an_array_of_json_is_told_how_to_become_lines(tmp_path: Path) -> None:
    (tmp_path / "seen.json").write_text(json.dumps(ROWS, indent=1))
    text = refused(SpecError, dataset(tmp_path, interactions="seen.json"))
    assert "is one JSON array. Write one object per line instead: jq --compact-output '.[]' seen.json" in text


def test_a_list_of_another_length_is_named(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl").write_text(lines([*ROWS, {**ROWS[0], "vector": [1, 2, 3]}]))
    text = refused(MalformedRowError, dataset(tmp_path))
    assert "seen.jsonl, number vector.0: 1 of 4 fields is not a number: line 4 'a list of 3'" in text


def test_a_list_where_a_number_was_promised_is_told_of_its_length(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl").write_text(lines(ROWS))
    text = refused(MalformedRowError, dataset(tmp_path, numeric=["vector"]))
    assert (
        "number vector: 2 of 3 fields are not a number: line 1 '[0.5,2.0]', line 2 '[1.5,-1]'; a list is as many "
        in text
    )


@pytest.mark.parametrize("name", ["seen.jsonl", "seen.parquet"])
def test_a_list_of_categories_needs_a_separator(tmp_path: Path, name: str) -> None:
    (tmp_path / "seen.jsonl").write_text(lines(ROWS))
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "seen.parquet")
    text = refused(SpecError, dataset(tmp_path, interactions=name, categorical=["user", "tags"]))
    assert f"{name} holds lists in tags. Name a separator, by which requests give several values in one text: " in text
    assert '{column: "tags", separator: "|"}' in text


@pytest.mark.parametrize("name", ["seen.jsonl", "seen.parquet"])
def test_a_separator_within_a_lists_value_is_refused(tmp_path: Path, name: str) -> None:
    rows = [*ROWS, {**ROWS[0], "tags": ["c|d"]}]
    (tmp_path / "seen.jsonl").write_text(lines(rows))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "seen.parquet")
    text = refused(ColumnError, dataset(tmp_path, interactions=name))
    assert f"{tmp_path}/{name}, column tags: the value 'c|d' of a list contains the separator '|'. Name another" in text


@pytest.mark.parametrize("name", ["seen.jsonl", "seen.parquet"])
def test_init_data_drafts_lists_and_structs(tmp_path: Path, name: str) -> None:
    given = [*ROWS[:2], {**ROWS[0], "tags": ["b"]}] * 8
    rows = [{**row, "user": f"u{number % 4}", "clicked": number % 2} for number, row in enumerate(given)]
    if name == "seen.jsonl":
        (tmp_path / name).write_text(lines(rows))
    else:
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    guessed = described(tmp_path)
    assert guessed["interactions"] == name
    assert {"column": "vector", "length": 2} in guessed["numeric"]
    assert {"column": "tags", "separator": "|"} in guessed["categorical"]
    assert "seen.device" in guessed["categorical"]
