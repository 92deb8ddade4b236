"""Everything wrong with a dataset's tables is named at once, with its place: by the first look and by a full read."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support.rows import refused
from training import datasets
from training.errors import (
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
)
from training.parameters import TablesDataset
from training.tables.columns import table_rules
from training.tables.files import load_spec
from training.tables.quick import look_at

USERS = "user,age\nu1,30\nu2,\n"
ITEMS = "item,genres\ni1,drama|crime\ni2,drama\n"
INTERACTIONS = "user,item,rating,seen\nu1,i1,5,2026-01-31 10:00:00\nu2,i2,1,1769853600\nu9,i1,4,2026-02-01\n"


def dataset(folder: Path, tables: Mapping[str, str | bytes] | None = None, **changes: object) -> TablesDataset:
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
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


GENRES = {"column": "genres", "separator": ", "}
BOUGHT = {"column": "event", "positive": ["buy"], "negative": ["view"]}
EVENTS = "user,item,event,seen\nu1,i1,buy,2026-01-31 10:00:00\nu2,i2,view,1769853600\nu9,i1,buy,2026-02-01\n"
BOUGHT_ALONE = "user,item,seen\nu1,i1,2026-01-31 10:00:00\nu2,i2,1769853600\nu9,i1,2026-02-01\n"
OLD = "user,age\n" + "".join(f"u{number},old{number % 4}\n" for number in range(1, 8))
RIGHT: dict[str, tuple[dict[str, str | bytes], dict[str, object]]] = {
    "as they are": ({}, {}),
    "a word that means missing": ({"users": "user,age\nu1,unkonwn\nu2,7\n"}, {"missing": ["unkonwn"]}),
    "lines of blanks": ({"users": USERS + "\n  \n"}, {}),
    "a separator that occurs": ({}, {"categorical": [GENRES | {"separator": "|"}]}),
    "a column that is empty anyway": ({"users": "user,age\nu1,\nu2,\n"}, {"missing": ["NA"]}),
    "positives alone": ({"interactions": BOUGHT_ALONE}, {"label": "positives"}),
    "events in lists": ({"interactions": EVENTS}, {"label": BOUGHT}),
}
WRONG: dict[str, tuple[type[DatasetError], dict[str, str | bytes], dict[str, object], list[str]]] = {
    "all wrong fields of all tables, and the first five of each": (
        MalformedRowError,
        {"users": OLD, "interactions": INTERACTIONS + ",i1,x,\n"},
        {},
        [
            "/users.csv, number age: 7 of 7 fields are not a number: line 2 'old1'",
            "line 6 'old1' and 2 more",
            "/interactions.csv, key user: 1 of 4 fields is empty: line 5 ''",
            "/interactions.csv, label rating: 1 of 4 fields is not a number: line 5 'x'",
            "/interactions.csv, timestamp seen: 1 of 4 fields is not a time",
        ],
    ),
    "a user without a table who is missing": (
        MalformedRowError,
        {"interactions": INTERACTIONS.replace("u2", "")},
        {"users": {"key": "user"}, "numeric": []},
        ["key user: 1 of 3 fields is empty: line 3 ''"],
    ),
    "a label without a rule": (
        MalformedRowError,
        {},
        {"label": {"column": "rating"}},
        ["2 of 3 fields are neither 0 nor 1 (without `at_least` ", ": line 2 '5', line 4 '4'"],
    ),
    "few wrong words": (
        MalformedRowError,
        {"users": "user,age\nu1,unkonwn\nu2,V\n"},
        {},
        ["""{column: 'age', missing: ["V", "unkonwn"]}"""],
    ),
    **{
        f"a row of another shape: {row!r}": (
            MalformedRowError,
            {"users": f"{USERS}{row}\nu4,40\n"},
            {},
            [f"users.csv: 1 of 4 rows is not split as the header is: line 4 has {way}. Correct"],
        )
        for row, way in {
            "u3,4,5": "3 fields instead of 2",
            'u3,"a\nb"': "a line break in quotes; if that is meant, write `line_breaks: true` under `users`",
            "u3": "1 fields instead of 2",
        }.items()
    },
    "a line before the header": (
        MalformedRowError,
        {"users": "Export of 2026\nuser,age\nu1,30\n"},
        {"users": {"path": "users.csv", "key": "Export of 2026", "interactions_key": "user"}, "numeric": []},
        ["2 of 2 rows are not split as", "line 2 has 2 fields instead of 1", "; the first line must name the columns."],
    ),
    "one user twice": (
        DuplicateKeyError,
        {"users": USERS + "u1,31\n"},
        {},
        ["users.csv has 2 rows (lines 2, 4) with the user 'u1'. Keep one row for each key, or write `dup"],
    ),
    "two users twice": (DuplicateKeyError, {"users": USERS + "u1,31\nu2,31\n"}, {}, ["'u1', and 1 more key is"]),
    "keys that differ in their form alone": (
        DuplicateKeyError,
        {"users": "user,age\n12,3\n12.0,4\n"},
        {},
        ["2 rows (lines 2, 3) with the user '12'"],
    ),
    "Latin-1": (
        EncodingError,
        {"items": "item,genres\ni1,drama|crime\ni2,comédie\n".encode("latin-1")},
        {},
        [
            "/items.csv is not UTF-8: line 3, byte 7 is 0xe9, near 'i2,comédie' if it is Windows",
            "iconv --from-code WINDOWS-1252 --to-code UTF-8",
        ],
    ),
    "Latin-1 far from the beginning": (
        EncodingError,
        {"interactions": (INTERACTIONS + "u1,i1,5,2026-02-02\n" * 1_000 + "ü1,i1,5,2026-02-02\n").encode("latin-1")},
        {},
        ["/interactions.csv is not UTF-8: line 1005, byte 1 is 0xfc"],
    ),
    "a line of an old Macintosh": (
        MalformedRowError,
        {"users": "user,age\nu1,30\ru2,7\nu3,8\n"},
        {},
        ["/users.csv: 1 of 2 rows is not split as the header is: line 2 has a carriage return that ends no line"],
    ),
    "a header of an old Macintosh": (
        MalformedRowError,
        {"users": "user,age\ru1,30\ru2,7\r"},
        {},
        ["users.csv ends with only a carriage return. End lines with a line feed."],
    ),
    "UTF-16": (EncodingError, {"items": ITEMS.encode("utf-16")}, {}, ["items.csv is UTF-16, ", "--from-code UTF-16"]),
    "a separator that never occurs": (
        ColumnError,
        {},
        {"categorical": [GENRES]},
        ["items.csv: the separator ', ' is in none of the 2 fields of the column genres", "look like 'drama|crime'"],
    ),
    "words that empty a whole column": (
        ColumnError,
        {},
        {"missing": ["30", "NA"]},
        [
            "no value is left in the column age: each of its 1 filled fields is one of the texts that mean missing ",
            "('30', 'NA')",
        ],
    ),
    "one label after the join": (
        OneClassError,
        {"interactions": INTERACTIONS.replace("u2,i2,1", "u8,i2,1")},
        {},
        ["/interactions.csv that survive the join have the label 1."],
    ),
    "labels that are all 1": (
        OneClassError,
        {"interactions": INTERACTIONS.replace(",1,", ",4,")},
        {},
        ["Give data with clicked and unclicked rows, or write `label: positives` if there are no others."],
    ),
    "labels that are all 0": (
        OneClassError,
        {"interactions": INTERACTIONS.replace(",5,", ",1,").replace(",4,", ",1,")},
        {},
        ["have the label 0. Give data with clicked and unclicked rows."],
    ),
    "keys that match nothing": (
        JoinError,
        {"users": "user,age\n1,30\n2,40\n"},
        {},
        [
            "/interactions.csv survive the join: 0 have a row in ",
            "keys look like 'u1', 'u2', 'u9' in the interactions' user and '1', '2' in the users' user",
            "3 have a row in ",
        ],
    ),
    "keys with leading zeros": (
        JoinError,
        {"users": "user,age\n12,3\n", "interactions": "user,item,rating,seen\n012,i1,5,1\n012,i2,1,2\n"},
        {},
        ["keys look like '012', '012' in the interactions' user and '12' in the users' user"],
    ),
    "a header alone": (EmptyDatasetError, {"users": "user,age\n"}, {}, ["users.csv has no row"]),
    "causes of several kinds": (
        SeveralProblemsError,
        {"users": "user,age\nu1,old\nu1,30\n"},
        {"categorical": [GENRES | {"separator": "/"}]},
        [
            "The tables cannot be used, for 3 reasons:\n1. ",
            "line 2 'old'",
            "2 rows (lines 2, 3) with the user 'u1'",
            "the separator '/' is in none",
        ],
    ),
    "a positive without an item": (
        MalformedRowError,
        {"interactions": BOUGHT_ALONE + "u1,,3\n"},
        {"label": "positives"},
        ["key item: 1 of 4 fields is empty: line 5 ''"],
    ),
    "events in neither list": (
        MalformedRowError,
        {"interactions": EVENTS + "u1,i2,cart,3\nu1,i2,,3\n"},
        {"label": BOUGHT},
        ["label event: 2 of 5 fields are an event in neither `positive` nor `negative`: line 5 'cart', line 6 ''"],
    ),
    "an event that never occurs": (
        ColumnError,
        {"interactions": EVENTS},
        {"label": BOUGHT | {"negative": ["view", "cart"]}},
        ["the negative event 'cart' is in no row's event. Correct `label.negative`, or leave it out."],
    ),
    "an event whose only row is left out": (
        ColumnError,
        {"interactions": EVENTS + "u1,,cart,3\n"},
        {
            "interactions": {"path": "interactions.csv", "missing_keys": "drop"},
            "label": BOUGHT | {"negative": ["view", "cart"]},
        },
        ["'cart' is in no row's event of those that `where` and `missing_keys` leave. Correct"],
    ),
    "an event of another case": (
        SeveralProblemsError,
        {"interactions": EVENTS},
        {"label": BOUGHT | {"positive": ["Buy"]}},
        [
            "2 of 3 fields are an event in neither `positive` nor `negative`: line 2 'buy', line 4 'buy'",
            "the positive event 'Buy' is in no row's event",
        ],
    ),
}


@pytest.mark.parametrize(("tables", "changes"), RIGHT.values(), ids=RIGHT)
def test_right_tables_pass(tmp_path: Path, tables: dict[str, str | bytes], changes: dict[str, object]) -> None:
    datasets.describe(dataset(tmp_path, tables, **changes))


@pytest.mark.parametrize(("kind", "tables", "changes", "said"), WRONG.values(), ids=WRONG)
def test_wrong_tables_are_one_error_that_says_everything(
    tmp_path: Path,
    kind: type[DatasetError],
    tables: dict[str, str | bytes],
    changes: dict[str, object],
    said: list[str],
) -> None:
    text = refused(kind, dataset(tmp_path, tables, **changes))
    assert [part for part in said if part not in text] == [], text


def test_a_wrong_row_of_a_parquet_file_is_named_by_its_number(tmp_path: Path) -> None:
    of = dataset(tmp_path, users={"path": "users.parquet", "key": "user"})
    pd.DataFrame({"user": ["u1", "u2"], "age": ["30", "old"]}).to_parquet(tmp_path / "users.parquet")
    assert "users.parquet, number age: 1 of 2 fields is not a number: row 2 'old'" in refused(MalformedRowError, of)


def test_bytes_of_a_parquet_file_that_are_no_text_are_refused(tmp_path: Path) -> None:
    of = dataset(tmp_path, items={"path": "items.parquet", "key": "item"})
    pd.DataFrame({"item": ["i1", "i2"], "genres": [b"drama", b"\xff"]}).to_parquet(tmp_path / "items.parquet")
    assert "items.parquet cannot be read: Invalid UTF8 payload. Write it again." in refused(DatasetError, of)


@pytest.mark.parametrize("name", ["items.parquet", "items.jsonl"])
def test_a_fraction_is_no_category(tmp_path: Path, name: str) -> None:
    of = dataset(tmp_path, items={"path": name, "key": "item"}, categorical=["size"])
    rows = pd.DataFrame({"item": ["i1", "i2"], "size": [2.0, 2.5]})
    rows.to_parquet(tmp_path / "items.parquet")
    rows.to_json(tmp_path / "items.jsonl", orient="records", lines=True)
    text = refused(MalformedRowError, of)
    place = "row 2" if name.endswith("parquet") else "line 2"
    assert f"{name}, category size: 1 of 2 fields is a fraction, and no category" in text
    assert f"(name the column under `numeric`, or write its values as text): {place} '2.5'" in text


def test_of_a_long_file_only_the_beginning_is_looked_at_and_what_it_says_is_said_of_it(tmp_path: Path) -> None:
    items = "item,genres\n" + "".join(f"i{number},drama\n" for number in range(1_000)) + "i,drama/crime\n"
    users = "user,age\n" + "".join(f"u{number},{number}\n" for number in range(1, 1_000)) + "u0,old\n"
    genres = {"column": "genres", "separator": "/"}
    of = dataset(tmp_path, {"users": users, "items": items}, categorical=[genres])
    look_at(table_rules(load_spec(of.spec)), characters=60)
    of = dataset(tmp_path, {"users": users.replace("u2,2", "u2,two", 1)})
    with pytest.raises(MalformedRowError, match=r"1 of the first 11 fields .* line 3 'two'"):
        look_at(table_rules(load_spec(of.spec)), characters=60)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ({"column": "rating", "at_least": 4, "equals": 5}, "label: give only one of `at_least`, `equals`, `choice`"),
        (BOUGHT | {"equals": "buy"}, "label: give only one of"),
        ({"column": "event", "positive": ["buy"]}, "give both lists of events, `positive` and `negative`"),
        (BOUGHT | {"positive": ["buy", "view"]}, "view cannot be both positive and negative: name each event once"),
        ("purchases", r"label: give the label as \{column: NAME\}, or the word positives if every row is positive"),
        ({"column": ""}, "label: give the label as"),
        ({"at_least": 4}, r"label\.column: is missing"),
        (BOUGHT | {"positive": [True]}, r"positive\.0: must be a text, not True"),
    ],
)
def test_a_label_of_several_meanings_is_refused(tmp_path: Path, label: object, reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        load_spec(dataset(tmp_path, label=label).spec)


def test_positives_need_no_label_but_the_keys_of_users_and_items(tmp_path: Path) -> None:
    load_spec(dataset(tmp_path, label="positives", numeric=[], categorical=[]).spec)
    for entity in ("users", "items"):
        with pytest.raises(SpecError, match="`label: positives` is for recommendations, which need the keys of"):
            load_spec(dataset(tmp_path, label="positives", **{entity: None}).spec)


def test_the_word_positives_is_written_as_it_is_read(tmp_path: Path) -> None:
    spec = load_spec(dataset(tmp_path, label="positives").spec)
    assert spec.model_dump(mode="json")["label"] == "positives"
    assert type(spec).model_validate(spec.model_dump(mode="json")) == spec
