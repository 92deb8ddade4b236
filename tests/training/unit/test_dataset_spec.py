"""The config of a dataset of three tables: what it accepts, and the messages for what it does not."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from training import datasets
from training.config import read_spec
from training.errors import EmptyDatasetError, MalformedRowError, MissingFileError, NoTimestampError, SpecError
from training.parameters import CriteoDataset, Split, TablesDataset
from training.tables.files import load_spec

SPEC = {
    "interactions": "interactions.csv",
    "users": {"path": "users.csv", "key": "user"},
    "items": {"path": "items.csv", "key": "item"},
    "label": {"column": "rating", "at_least": 4},
    "numeric": ["age"],
    "categorical": ["genre"],
}
TABLES = {
    "interactions.csv": "user,item,rating\nu1,i1,5\nu1,i1,1\n",
    "users.csv": "user,age\nu1,30\n",
    "items.csv": "item,genre\ni1,drama\n",
}


def written(folder: Path, *, tables: dict[str, str] | None = None, **changes: object) -> Path:
    """A dataset in `folder`, with these changes of its config and its tables."""
    for name, content in {**TABLES, **(tables or {})}.items():
        (folder / name).write_text(content)
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump({**SPEC, **changes}))
    return path


def tables(path: Path) -> TablesDataset:
    return TablesDataset(kind="tables", spec=path)


def test_every_mistake_of_a_description_is_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, users={"path": "users.csv"}, label={"column": "rating", "at_least": "four"}, extra=1)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    for part in (
        "users.key: is missing",
        "label.at_least: must be a number, not 'four'",
        "extra: there is no such key",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"numeric": [], "categorical": []}, "name at least one column"),
        ({"numeric": ["age", "age"]}, "age is named again"),
        ({"numeric": ["age", "Age"]}, "Age, age is named again"),
        ({"numeric": ["Label"]}, "a feature cannot be called 'label'"),
        ({"numeric": ["rating"]}, "would leak the target"),
        ({"numeric": ["time"], "timestamp": "time"}, "time is the timestamp"),
        ({"numeric": ["label"]}, "rename the column"),
        ({"crosses": [["genre"]]}, r"crosses\.0: give two columns in brackets, as \[user_id, genres\]\. See"),
        ({"crosses": ["genre"]}, "crosses.0: give two columns in brackets"),
        ({"crosses": [["genre", "mood"]]}, "needs mood, which is not named under `categorical`"),
        ({"crosses": [["genre", "age"]]}, "age is a column of numbers, and only categories can be crossed"),
        ({"crosses": [["genre", "genre"]]}, "genre is crossed with itself"),
        ({"categorical": ["genre", "item"], "crosses": [["genre", "item"], ["item", "genre"]]}, "are crossed twice"),
        (
            {"categorical": ["genre", "item", "Genre x item"], "crosses": [["genre", "item"]]},
            "a column is called 'genre x item' as the cross is",
        ),
        ({"factors": ["genre"]}, r"factors: give two columns in brackets, as \[user_id, genres\]\. See"),
        (
            {"factors": ["genre", "age"]},
            "the factors of genre and age need age, which is not named under `categorical`",
        ),
        ({"factors": ["genre", "genre"]}, "the factors are of genre and of genre again"),
        (
            {"categorical": ["genre", "item", "Genre with item"], "factors": ["genre", "item"]},
            "a column is called 'genre with item' as the factors are",
        ),
        ({"times": ["born"]}, "the ages of `times` count from the row's timestamp: name its column"),
        ({"times": ["born"], "timestamp": "born"}, "born is the timestamp"),
        ({"times": ["at"], "timestamp": "seen"}, "at is the moment of a request, from which ages count"),
        (
            {"times": [{"column": "born", "zone": "Berlin"}], "timestamp": "seen"},
            r"zone: this time zone is unknown.*'Berlin'",
        ),
        ({"users": {"path": "users.xlsx", "key": "user"}}, r"users\.xlsx is unknown"),
        ({"users": {"path": "users.csv", "key": "user", "show": ["age"]}}, "`show` is for items"),
        ({"items": {"key": "item", "show": ["genre"]}}, "`show` names columns of the table of items: name its `path`"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        load_spec(written(tmp_path, **changes))


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (2020, r"numeric\.0: give a column's name in quotes, or a mapping .* not 2020"),
        ({"column": "age", "separator": " "}, r"numeric\.0\.separator: there is no such key"),
        ({"column": "age", "missing": [-1]}, r"numeric\.0\.missing\.0: must be a text, not -1"),
        ({"missing": ["NA"]}, r"numeric\.0\.column: is missing"),
    ],
)
def test_a_column_that_makes_no_sense_is_named(tmp_path: Path, column: object, reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        load_spec(written(tmp_path, numeric=[column]))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"interactions": {"path": "a.csv", "where": {"rating": {"abov": 0}}}},
            "interactions.where.rating.abov: there is",
        ),
        (
            {"interactions": {"path": "a.csv", "missing_keys": "keep"}},
            "missing_keys: must be 'drop' or 'one_time', not",
        ),
        ({"interactions": {"path": 5}}, "interactions.path: must be a path or a list, not 5"),
        (
            {"interactions": {"path": "a.csv", "days": {"column": "", "last": -1}}},
            "days.column: must be at least 1 long, not ''",
        ),
        ({"users": 5}, "users: must be an object, not 5"),
        ({"numeric": "age"}, "numeric: must be a list, not 'age'"),
        ({"recommend_seen": "often"}, "recommend_seen: must be true or false, not 'often'"),
        (
            {"users": {"path": "a.csv", "key": "user", "version": "new"}},
            "users.version: must be a whole number, not 'new'",
        ),
    ],
)
def test_no_words_of_a_library_reach_a_reader(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(written(tmp_path, **changes))
    message = str(caught.value)
    assert problem in message
    for words in ("Input should", "Extra inputs", "Field required", "valid string", "valid dictionary", "Tuple"):
        assert words not in message


@pytest.mark.parametrize("content", ["a: [", "just text", "[1, 2]", ""])
def test_a_file_that_is_no_description_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset.yaml").write_text(content)
    with pytest.raises(SpecError, match=r"dataset\.yaml"):
        load_spec(tmp_path / "dataset.yaml")


def test_a_missing_description_points_to_the_example(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="examples/tables"):
        load_spec(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("kind", "changed", "changes", "reasons"),
    [
        (MissingFileError, {"users.csv": None}, {}, ["the users file ", "/users.csv, which does not exist"]),
        (
            MissingFileError,
            {"users.csv": "id,age\nu1,3\n", "interactions.csv": "user,item\nu1,i1\n"},
            {},
            ["users.csv has no column 'user', only id, age", "interactions.csv has no column 'rating'"],
        ),
        (
            SpecError,
            {"items.csv": "item,genre,age\ni1,drama,3\n"},
            {"categorical": ["genre", "mood"]},
            ["age is in both users and items", "mood is in none"],
        ),
        (
            MissingFileError,
            {},
            {"items": {"path": "items.csv", "key": "item", "show": ["genre", "brand"]}},
            ["items.csv has no column 'brand', only item, genre"],
        ),
        (SpecError, {"users.csv": "user,age,Age\nu1,3,4\n"}, {}, ["several columns of the same name: Age, age"]),
        (
            SpecError,
            {"users.csv": 'user,age,"first\nname"\nu1,3,Ada\n'},
            {},
            [r"users.csv has a line break in the name of a column, 'first\nname'"],
        ),
        *((EmptyDatasetError, {"users.csv": content}, {}, ["users.csv is empty"]) for content in ("", "\n")),
        *(
            (
                SpecError,
                {"users.csv": f"user{delimiter}age\nu1{delimiter}30\n"},
                {},
                ["users.csv has one column, 'user", "as if its fields were separated by ", "not by ','. "],
            )
            for delimiter in (";", "\t", "|")
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused_with_all_that_is_wrong(
    tmp_path: Path, kind: type[Exception], changed: dict[str, str | None], changes: dict[str, Any], reasons: list[str]
) -> None:
    path = written(tmp_path, tables={name: text or "" for name, text in changed.items()}, **changes)
    for name in (name for name, text in changed.items() if text is None):
        (tmp_path / name).unlink()
    with pytest.raises(kind) as caught:
        datasets.describe(tables(path))
    assert [reason for reason in reasons if reason not in str(caught.value)] == [], str(caught.value)


def test_identity_follows_the_tables_and_the_meaning_but_not_the_place(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here, there = (datasets.describe(tables(written(tmp_path / name))).hash for name in ("here", "there"))
    assert here == there
    changed = written(tmp_path / "there", label={"column": "rating", "at_least": 3})
    assert datasets.describe(tables(changed)).hash != here
    changed = written(tmp_path / "there", tables={"items.csv": "item,genre\ni1,crime\n"})
    assert datasets.describe(tables(changed)).hash != here


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("interactions: a.csv\nlabel: {column: hit}\ncategorical: [user]\ncategorical: [item]\n", "categorical", 4),
        ("interactions: a.csv\nlabel: {column: hit,\n  column: bought}\ncategorical: [user]\n", "column", 3),
        ("interactions: a.csv\ntimes:\n- column: seen\n  zone: UTC\n  zone: CET\n", "zone", 5),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path, text: str, key: str, line: int) -> None:
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(SpecError, match=rf"the key '{key}' stands in line \d+ already .*line {line}, column"):
        read_spec(tmp_path / "dataset.yaml")


def test_a_split_by_time_needs_a_described_timestamp(tmp_path: Path) -> None:
    for folder in ("without", "with"):
        (tmp_path / folder).mkdir()
    timed = written(tmp_path / "with", timestamp="at")
    datasets.check_split(tables(timed), Split.TIME)
    without = tables(written(tmp_path / "without"))
    datasets.check_split(without, Split.RANDOM)
    for dataset in (without, CriteoDataset(kind="criteo", path="sample")):
        with pytest.raises(NoTimestampError, match="needs a dataset with a timestamp"):
            datasets.check_split(dataset, Split.TIME)


def test_a_feature_that_is_no_time_is_refused_with_its_place_and_a_missing_one_is_not(tmp_path: Path) -> None:
    rows = {"interactions.csv": "user,item,rating,seen\nu1,i1,5,7\nu1,i1,1,8\n"}
    born = "user,born\nu1,1990-05-06\nu2,\nu3,06/05/1990\nu4,1e300\nu5,999999999999\n"
    timed: dict[str, Any] = {"numeric": [], "timestamp": "seen"}
    path = written(tmp_path, tables={**rows, "users.csv": born}, times=["born"], **timed)
    with pytest.raises(MalformedRowError) as caught:
        datasets.describe(tables(path))
    assert "users.csv, time born: 3 of 5 fields are not a time (give seconds since 1970" in str(caught.value)
    assert "line 4 '06/05/1990', line 5 '1e300', line 6 '999999999999'" in str(caught.value)
    path = written(tmp_path, tables=rows, times=[{"column": "age", "format": "day-first"}], **timed)
    with pytest.raises(
        MalformedRowError, match=r"time age: 1 of 1 fields is not a date with the day first.*line 2 '30'"
    ):
        datasets.describe(tables(path))
