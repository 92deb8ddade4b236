"""Everything wrong with a dataset's tables is named at once, with its place: by the first look and by a full read."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support.rows import read
from training import datasets
from training.datasets.described.columns import table_rules
from training.datasets.described.quick import look_at
from training.datasets.described.spec import load_spec
from training.datasets.errors import (
    ColumnError,
    DatasetError,
    DuplicateKeyError,
    EmptyDatasetError,
    EncodingError,
    JoinError,
    MalformedRowError,
    OneClassError,
    SeveralProblemsError,
    SpecError,
    TruncatedFileError,
)
from training.parameters import TablesDataset

USERS = "user,age\nu1,30\nu2,\n"
ITEMS = "item,genres\ni1,drama|crime\ni2,drama\n"
INTERACTIONS = "user,item,rating,seen\nu1,i1,5,2026-01-31 10:00:00\nu2,i2,1,1769853600\nu9,i1,4,2026-02-01\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path / "cache"))


def written(folder: Path, tables: Mapping[str, str | bytes] | None = None, **changes: object) -> Path:
    """A dataset in `folder`, with other contents of these tables and these changes of its description."""
    contents: dict[str, str | bytes] = {"users": USERS, "items": ITEMS, "interactions": INTERACTIONS, **(tables or {})}
    for name, content in contents.items():
        (folder / f"{name}.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    spec = {
        "interactions": "interactions.csv",
        "users": {"path": "users.csv", "key": "user"},
        "items": {"path": "items.csv", "key": "item"},
        "label": {"column": "rating", "at_least": 4},
        "numeric": ["age"],
        "categorical": ["genres"],
        "timestamp": "seen",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump({**spec, **changes}))
    return folder / "dataset.yaml"


def look(path: Path, characters: int = 1 << 20) -> None:
    """Look at the tables that a description names."""
    look_at(table_rules(load_spec(path)), characters)


def refused(kind: type[DatasetError], path: Path) -> str:
    """The error of the first look, of exactly this class; reading all rows ends with the same one."""
    with pytest.raises(DatasetError) as caught:
        look(path)
    assert type(caught.value) is kind, str(caught.value)
    with pytest.raises(kind) as later:
        read(TablesDataset(kind="tables", spec=path))
    assert str(later.value) == str(caught.value)
    return str(caught.value)


def test_right_tables_pass(tmp_path: Path) -> None:
    look(written(tmp_path))


def test_all_wrong_fields_of_all_tables_are_in_one_error_with_the_first_five_of_each(tmp_path: Path) -> None:
    users = "user,age\n" + "".join(f"u{number},old{number % 4}\n" for number in range(1, 8))
    text = refused(MalformedRowError, written(tmp_path, {"users": users, "interactions": INTERACTIONS + ",i1,x,\n"}))
    assert f"{tmp_path}/users.csv, number age: 7 of 7 fields are no number: line 2 'old1'" in text
    assert "line 6 'old1' and 2 more" in text
    for part in ("key user: 1 of 4", "label rating: 1 of 4", "timestamp seen: 1 of 4"):
        assert f"{tmp_path}/interactions.csv, {part}" in text
    assert text.count("line 5 ''") == 2
    assert "line 5 'x'" in text


def test_a_timestamp_that_is_empty_in_some_rows_is_refused(tmp_path: Path) -> None:
    text = refused(MalformedRowError, written(tmp_path, {"interactions": INTERACTIONS + "u1,i1,3,\nu2,i1,3,\n"}))
    assert (
        "timestamp seen: 2 of 5 fields are no time (give seconds since 1970 or a form like 2026-01-31 23:59:00): "
        in text
    )
    assert "line 5 '', line 6 ''" in text


def test_few_wrong_words_in_a_number_are_offered_as_missing(tmp_path: Path) -> None:
    text = refused(MalformedRowError, written(tmp_path, {"users": "user,age\nu1,unkonwn\nu2,V\n"}))
    assert """{column: 'age', missing: ["V", "unkonwn"]}""" in text
    look(written(tmp_path, {"users": "user,age\nu1,unkonwn\nu2,7\n"}, missing=["unkonwn"]))


@pytest.mark.parametrize("row", ["u3,4,5", 'u3,"a\nb"', "u3"])
def test_a_row_of_another_shape_is_named(tmp_path: Path, row: str) -> None:
    text = refused(MalformedRowError, written(tmp_path, {"users": f"{USERS}{row}\nu4,40\n"}))
    assert "users.csv: 1 of 4 rows is not split as the header is: line 4 has " in text


def test_lines_of_blanks_and_tabs_alone_are_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path, {"users": USERS + "\n  \n"}, items={"path": "items.tsv", "key": "item"})
    (tmp_path / "items.tsv").write_text(ITEMS.replace(",", "\t") + "\t\n\t \n")
    look(path)


def test_one_user_twice_is_named_with_its_lines(tmp_path: Path) -> None:
    text = refused(DuplicateKeyError, written(tmp_path, {"users": USERS + "u1,31\n"}))
    assert "users.csv has 2 rows (lines 2, 4) with the user 'u1'. Keep one row for each key." in text


def test_a_file_that_is_not_utf_8_is_named_by_line_and_byte(tmp_path: Path) -> None:
    items = "item,genres\ni1,drama|crime\ni2,comédie\n".encode("latin-1")
    text = refused(EncodingError, written(tmp_path, {"items": items}))
    assert f"{tmp_path}/items.csv is not UTF-8: line 3, byte 7 is 0xe9, near 'i2,comédie' if it is Windows" in text
    assert "iconv --from-code WINDOWS-1252 --to-code UTF-8" in text


def test_a_file_of_utf_16_is_named(tmp_path: Path) -> None:
    text = refused(EncodingError, written(tmp_path, {"items": ITEMS.encode("utf-16")}))
    assert "items.csv is not UTF-8: line 1, byte 1 is 0xff" in text


def test_a_separator_that_never_occurs_is_refused(tmp_path: Path) -> None:
    genres = {"column": "genres", "separator": ", "}
    text = refused(ColumnError, written(tmp_path, categorical=[genres]))
    assert "items.csv: the separator ', ' is in none of the 2 fields of the column genres" in text
    assert "look like 'drama|crime'" in text
    look(written(tmp_path, categorical=[genres | {"separator": "|"}]))


def test_a_text_that_empties_a_whole_column_is_refused(tmp_path: Path) -> None:
    text = refused(ColumnError, written(tmp_path, {"users": "user,age\nu1,30\nu2,\n"}, missing=["30", "NA"]))
    assert (
        "no value is left in the column age: each of its 1 filled fields is one of the texts that mean missing " in text
    )
    assert "('30', 'NA')" in text


def test_a_column_that_is_empty_anyway_is_not(tmp_path: Path) -> None:
    look(written(tmp_path, {"users": "user,age\nu1,\nu2,\n"}, missing=["NA"]))


def test_labels_that_are_all_the_same_after_the_join_are_refused(tmp_path: Path) -> None:
    interactions = INTERACTIONS.replace("u2,i2,1", "u8,i2,1")
    text = refused(OneClassError, written(tmp_path, {"interactions": interactions}))
    assert f"All 1 rows of {tmp_path}/interactions.csv that survive the join have the label 1." in text


def test_keys_that_match_nothing_show_how_they_look_on_each_side(tmp_path: Path) -> None:
    text = refused(JoinError, written(tmp_path, {"users": "user,age\n1,30\n2,40\n"}))
    assert f"0 of 3 rows of {tmp_path}/interactions.csv survive the join: 0 have a row in {tmp_path}/users.csv" in text
    assert "keys look like 'u1', 'u2', 'u9' in the interactions' user and '1', '2' in the users' user" in text
    assert f"3 have a row in {tmp_path}/items.csv" in text


@pytest.mark.parametrize(
    "keys", [[12, 7], ["12", "7"], [12.0, 7.0], [12.0, None], ["12.0", "7"], pd.Series([12, 7], dtype="int32")]
)
def test_a_whole_number_is_the_same_key_whatever_its_type(tmp_path: Path, keys: list[object]) -> None:
    interactions = "user,item,rating,seen\n12,i1,5,1\n12.0,i2,1,2\n"
    path = written(tmp_path, {"interactions": interactions}, users={"path": "users.parquet", "key": "user"})
    pd.DataFrame({"user": keys, "age": [30, 40]}).dropna().to_parquet(tmp_path / "users.parquet")
    look(path)


def test_keys_with_leading_zeros_are_others(tmp_path: Path) -> None:
    interactions = "user,item,rating,seen\n012,i1,5,1\n012,i2,1,2\n"
    text = refused(JoinError, written(tmp_path, {"users": "user,age\n12,3\n", "interactions": interactions}))
    assert "keys look like '012', '012' in the interactions' user and '12' in the users' user" in text


def test_a_key_that_differs_in_its_form_alone_is_a_repeated_one(tmp_path: Path) -> None:
    text = refused(DuplicateKeyError, written(tmp_path, {"users": "user,age\n12,3\n12.0,4\n"}))
    assert "2 rows (lines 2, 3) with the user '12'" in text


def test_a_wrong_row_of_a_parquet_file_is_named_by_its_number(tmp_path: Path) -> None:
    path = written(tmp_path, users={"path": "users.parquet", "key": "user"})
    pd.DataFrame({"user": ["u1", "u2"], "age": ["30", "old"]}).to_parquet(tmp_path / "users.parquet")
    assert "users.parquet, number age: 1 of 2 fields is no number: row 2 'old'" in refused(MalformedRowError, path)


def test_parquet_types_are_read_as_text(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        interactions="interactions.parquet",
        label={"column": "rating", "equals": True},
        numeric=["age", "price"],
    )
    rows = pd.DataFrame({"user": ["u1", "u2"], "item": ["i1", "i2"], "rating": [True, False], "price": [0.5, None]})
    rows["seen"] = pd.to_datetime(["2026-01-31 10:00:00.123456789", "2026-02-01 00:00:00"], format="ISO8601")
    rows["item"] = rows["item"].astype("category")
    rows.to_parquet(tmp_path / "interactions.parquet")
    look(path)


def test_a_list_in_a_parquet_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, items={"path": "items.parquet", "key": "item"})
    rows = {"item": ["i1", "i2"], "genres": [["drama", "crime"], []], "kind": ["film", "series"]}
    pd.DataFrame(rows).to_parquet(tmp_path / "items.parquet")
    with pytest.raises(SpecError, match=r"items\.parquet holds lists in genres\. Name a separator"):
        look(path)
    look(written(tmp_path, items={"path": "items.parquet", "key": "item"}, categorical=["kind"]))


def test_a_table_of_its_header_alone_is_refused(tmp_path: Path) -> None:
    text = refused(EmptyDatasetError, written(tmp_path, {"users": "user,age\n"}))
    assert "users.csv names its columns but has no row" in text


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(("item,genres\n" + "".join(f"i{n},drama\n" for n in range(50_000))).encode())
    path = written(tmp_path, items={"path": "items.csv.gz", "key": "item"})
    (tmp_path / "items.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert "items.csv.gz is truncated or damaged" in refused(TruncatedFileError, path)


def test_causes_of_several_kinds_are_listed_in_one_error(tmp_path: Path) -> None:
    genres = {"column": "genres", "separator": "/"}
    path = written(tmp_path, {"users": "user,age\nu1,old\nu1,30\n"}, categorical=[genres])
    text = refused(SeveralProblemsError, path)
    assert "The tables cannot be used, for 3 reasons:\n1. " in text
    for part in ("line 2 'old'", "2 rows (lines 2, 3) with the user 'u1'", "the separator '/' is in none"):
        assert part in text


def test_of_a_long_file_only_the_beginning_is_looked_at_and_what_it_says_is_said_of_it(tmp_path: Path) -> None:
    items = "item,genres\n" + "".join(f"i{number},drama\n" for number in range(1_000)) + "i,drama/crime\n"
    users = "user,age\n" + "".join(f"u{number},{number}\n" for number in range(1, 1_000)) + "u0,old\n"
    genres = {"column": "genres", "separator": "/"}
    look(written(tmp_path, {"users": users, "items": items}, categorical=[genres]), characters=60)
    with pytest.raises(MalformedRowError, match=r"1 of the first 10 fields .* line 3 'two'"):
        look(written(tmp_path, {"users": users.replace("u2,2", "u2,two", 1)}), characters=60)


def test_every_description_of_a_dataset_takes_the_look(tmp_path: Path) -> None:
    dataset = TablesDataset(kind="tables", spec=written(tmp_path, {"users": USERS + "u3,old\n"}))
    with pytest.raises(MalformedRowError, match="line 4 'old'"):
        datasets.describe(dataset)
