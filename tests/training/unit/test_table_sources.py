"""Tables as they are: separators, encodings, quotes, folders of files and of days, and what is wrong in a sentence."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake
from pyarrow import parquet

from tests.support.guessed_tables import described
from tests.support.listings import Listing
from tests.support.rows import read, refused
from training import datasets
from training.errors import (
    DatasetError,
    DuplicateKeyError,
    EmptyDatasetError,
    EncodingError,
    GuessError,
    MalformedRowError,
    MissingFileError,
    SpecError,
    TruncatedFileError,
)
from training.parameters import TablesDataset
from training.tables.files import TableFile
from training.tables.texts import Beginning, chunks

SEEN = [("u1", "i1", "phone", 5), ("u2", "i2", "Fernseher", 1), ("u1", "i2", "phone", 4), ("u2", "i1", "", 2)]
ROWS = pd.DataFrame(SEEN, columns=["user", "item", "device", "rating"])


def dataset(folder: Path, interactions: object, **changes: object) -> TablesDataset:
    spec: dict[str, Any] = {
        "interactions": interactions,
        "label": {"column": "rating", "at_least": 4},
        "categorical": ["user", "device"],
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump({**spec, **changes}, allow_unicode=True), encoding="utf-8")
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


def devices(of: TablesDataset) -> list[str]:
    datasets.describe(of)
    return list(read(of)[0]["device"])


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ("user;device;rating\nu1;a,b;5\nu2;'c';1\n", {"separator": ";"}),
        ("user,device,rating\nu1,'a,b',5\nu2,\"c\",1\n", {"quote": "'"}),
        ('user|device|rating\nu1|a,b|5\nu2|"c|1\n', {"separator": "|", "quote": ""}),
        ("user,device,rating\nu1,Fuß,5\nu2,é,1\n", {"encoding": "latin-1"}),
        ("user;device;rating\nu1;„Kö“;5\nu2;€;1\n", {"encoding": "Windows-1252", "separator": ";"}),
    ],
)
def test_text_is_read_as_the_config_says(tmp_path: Path, content: str, written: dict[str, str]) -> None:
    (tmp_path / "seen.csv").write_bytes(content.encode(written.get("encoding", "utf-8")))
    expected = [["a,b", "'c'"], ["a,b", '"c"'], ["a,b", '"c'], ["Fuß", "é"], ["„Kö“", "€"]]
    assert devices(dataset(tmp_path, {"path": "seen.csv", **written})) in expected


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"separator": "::"}, 'one ASCII character, such as ";"'),
        ({"separator": "\n"}, "one ASCII character"),
        ({"quote": "«"}, "one ASCII character"),
        ({"separator": ""}, "`separator` must be a character"),
        ({"separator": "'", "quote": "'"}, "another one than `quote`"),
        ({"encoding": "latin-99"}, "encoding is unknown: give one of Python's, such as latin-1"),
        ({"encoding": "utf-16"}, "isn't based on ASCII: convert the file with `iconv"),
        ({"encoding": "base64"}, "encoding is unknown"),
    ],
)
def test_what_no_text_file_can_have_is_refused(tmp_path: Path, written: dict[str, str], reason: str) -> None:
    (tmp_path / "seen.csv").write_text("user,device,rating\nu1,a,5\nu2,b,1\n")
    with pytest.raises(SpecError, match=reason):
        datasets.describe(dataset(tmp_path, {"path": "seen.csv", **written}))


def test_a_byte_that_is_not_in_the_given_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "seen.csv").write_bytes(b"user,device,rating\nu1,a,5\nu2,\x81,1\n")
    text = refused(EncodingError, dataset(tmp_path, {"path": "seen.csv", "encoding": "cp1252"}))
    assert f"{tmp_path}/seen.csv is not CP1252: line 3, byte 4 is 0x81" in text


def test_a_wrong_field_is_named_by_the_line_of_its_own_file(tmp_path: Path) -> None:
    folder = tmp_path / "Klicks & Käufe"
    folder.mkdir()
    (folder / "a.csv").write_text("user,device,rating\nu1,a,5\n")
    (folder / "ü b.tsv").write_text("rating\tuser\tdevice\n1\tu2\tb\nviel\tu2\tb\n")
    text = refused(MalformedRowError, dataset(tmp_path, "Klicks & Käufe"))
    assert f"{folder}/ü b.tsv, label rating: 1 of 2 fields is not a number: line 3 'viel'" in text


def test_a_key_twice_is_named_with_both_files(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "seen.csv", index=False)
    for name, users in (("a", "user,age\nu1,3\nu2,4\n"), ("b", "user,age\nu1,5\n")):
        (tmp_path / f"{name}.csv").write_text(users)
    entity = {"path": ["a.csv", "b.csv"], "key": "user"}
    text = refused(
        DuplicateKeyError, dataset(tmp_path, "seen.csv", users=entity, categorical=["device"], numeric=["age"])
    )
    assert f"2 rows (line 2 of {tmp_path}/a.csv, line 2 of {tmp_path}/b.csv) with the user 'u1'" in text


def test_files_of_two_schemas_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    ROWS.to_parquet(folder / "a.parquet")
    ROWS.rename(columns={"device": "Gerät"}).to_parquet(folder / "b.parquet")
    text = refused(MissingFileError, dataset(tmp_path, "seen"))
    assert f"{folder}/b.parquet has no device, which {folder}/a.parquet has. It has user, item, Gerät, rating." in text
    assert devices(dataset(tmp_path, "seen/a.parquet")) == list(ROWS["device"])


def test_a_column_that_one_file_lacks_may_be_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    ROWS.to_parquet(folder / "a.parquet")
    ROWS.drop(columns="device").to_parquet(folder / "b.parquet")
    rows, _ = read(dataset(tmp_path, "seen", categorical=["user"]))
    assert len(rows) == 2 * len(ROWS)


def test_a_column_of_texts_in_one_file_and_numbers_in_another_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    for name, kind in (("a", pa.null()), ("b", pa.string()), ("c", pa.int64())):
        table = pa.table({"user": ["u1", "u2"], "rating": [5, 1], "device": pa.nulls(2, kind)})
        parquet.write_table(table, folder / f"{name}.parquet")
    with pytest.raises(SpecError) as caught:
        datasets.describe(dataset(tmp_path, "seen"))
    text = f"The column device is text in {folder}/b.parquet and a number in {folder}/c.parquet."
    assert str(caught.value).startswith(text)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seen" / "day=2026-11-01").mkdir(parents=True)
    (tmp_path / "seen" / "_SUCCESS").touch()
    text = refused(EmptyDatasetError, dataset(tmp_path, "seen"))
    assert f"The folder {tmp_path}/seen has no file. Put files into it that end in .csv" in text


def test_an_empty_file_in_a_folder_is_named_and_one_without_rows_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    ROWS[:0].to_csv(folder / "a.csv", index=False)
    ROWS.to_csv(folder / "b.csv", index=False)
    assert devices(dataset(tmp_path, "seen")) == list(ROWS["device"])
    (folder / "c.csv").touch()
    with pytest.raises(EmptyDatasetError, match=rf"The file {folder}/c\.csv is empty"):
        datasets.describe(dataset(tmp_path, "seen"))


def test_a_file_of_an_unknown_format_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seen").mkdir()
    ROWS.to_parquet(tmp_path / "seen" / "a.parquet")
    (tmp_path / "seen" / "b.xlsx").touch()
    assert "the format of b.xlsx is unknown" in refused(SpecError, dataset(tmp_path, "seen"))


@pytest.mark.parametrize("kept", [7, 500])
def test_a_half_written_parquet_file_is_named(tmp_path: Path, kept: int) -> None:
    (tmp_path / "seen").mkdir()
    ROWS.to_parquet(tmp_path / "seen" / "a.parquet")
    content = (tmp_path / "seen" / "a.parquet").read_bytes()
    (tmp_path / "seen" / "b.parquet").write_bytes(content[:kept])
    text = refused(TruncatedFileError, dataset(tmp_path, "seen"))
    assert text.startswith(
        f"{tmp_path}/seen/b.parquet is not a complete Parquet file: its end, which lists the columns, is "
    )


def test_a_partitions_value_is_read_as_spark_writes_it(tmp_path: Path) -> None:
    for number, value in enumerate(("a%2Fb", "__HIVE_DEFAULT_PARTITION__", "ü x")):
        place = tmp_path / "seen" / f"device={value}"
        place.mkdir(parents=True)
        ROWS[number : number + 1].drop(columns="device").to_csv(place / "part-0.csv", index=False)
    assert devices(dataset(tmp_path, "seen")) == ["", "a/b", "ü x"]


def test_init_data_finds_folders_separators_encodings_and_quotes(tmp_path: Path) -> None:
    place = tmp_path / "Klicks" / "day=2026-11-01"
    place.mkdir(parents=True)
    rows = pd.concat([ROWS] * 5)
    rows.to_parquet(place / "part-0.parquet")
    users = "'user';'Straße'\n'u1';'Nord; links'\n'u2';'Süd'\n"
    (tmp_path / "users.csv").write_bytes(users.encode("cp1252"))
    guessed = described(tmp_path)
    assert guessed["interactions"] == "Klicks"
    assert guessed["users"] == {
        "path": "users.csv",
        "separator": ";",
        "encoding": "cp1252",
        "quote": "'",
        "key": "user",
    }


def test_init_data_says_that_a_folder_is_itself_a_table(tmp_path: Path) -> None:
    place = tmp_path / "day=2026-11-01"
    place.mkdir()
    ROWS.to_parquet(place / "part-0.parquet")
    with pytest.raises(GuessError, match=r"is itself a table, of partitions such as day=2026-11-01\. Give the folder"):
        described(tmp_path)


HEADER = "user,item,hit\n"
SHOP = "abfss://events@shoplake.dfs.core.windows.net/shop"


def in_days(folder: Path, *days: str, column: str = "day", **changes: Any) -> TablesDataset:
    """Clicks of these days, each by a user of its own: u0 on the first day."""
    for number, day in enumerate(days):
        place = folder / "clicks" / f"day={day}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "part-0.csv").write_text(f"{HEADER}u{number},i0,1\nu{number},i1,0\n", encoding="utf-8")
    interactions = {"path": "clicks", "days": {"column": column, "last": 2}} | changes
    return configured(folder, interactions)


def configured(folder: Path, interactions: dict[str, Any], **changes: Any) -> TablesDataset:
    spec = {"interactions": interactions, "label": {"column": "hit"}, "categorical": ["user", "item"]} | changes
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


def users(of: TablesDataset, copy: Path | None = None) -> list[str]:
    return list(read(of, copy)[0]["user"])


def test_the_latest_days_are_read_whose_names_are_dates(tmp_path: Path) -> None:
    of = in_days(tmp_path, "2026-11-10", "2026-11-09", "20261101", "2025-12-31")
    assert users(of) == ["u1", "u1", "u0", "u0"]
    assert users(in_days(tmp_path, days={"column": "day"})) == ["u3", "u3", "u1", "u1", "u0", "u0", "u2", "u2"]


def test_the_copy_has_the_latest_days_alone(tmp_path: Path) -> None:
    of = in_days(tmp_path, "2026-11-01", "2026-11-02", "2026-11-03")
    datasets.materialize(of, tmp_path / "lake")
    copied = sorted(file.parent.name for file in (tmp_path / "lake").rglob("part-0.csv"))
    assert copied == ["day=2026-11-02", "day=2026-11-03"]
    assert users(of, tmp_path / "lake") == ["u1", "u1", "u2", "u2"]


def test_older_days_are_no_part_of_the_identity(tmp_path: Path) -> None:
    of = in_days(tmp_path, "2026-11-01", "2026-11-02", "2026-11-03")
    before = datasets.describe(of)
    (tmp_path / "clicks" / "day=2026-11-01" / "part-1.csv").write_text(f"{HEADER}u9,i0,1\n", encoding="utf-8")
    assert datasets.describe(of) == before
    later = datasets.describe(in_days(tmp_path, "2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"))
    assert later.hash != before.hash


@pytest.mark.parametrize(
    ("days", "changes", "reason"),
    [
        (("2026-11-01", "yesterday"), {}, r"day=yesterday/part-0\.csv of .*clicks has 'yesterday' as its day\. Call"),
        (("2026-11-01", "2026-02-30"), {}, r"'2026-02-30' as its day"),
        (("2026-11-01", "__HIVE_DEFAULT_PARTITION__"), {}, r"has '' as its day"),
        (("2026-11-01", "2026-11-02"), {"column": "dt"}, r"folders called dt=2026-11-01, and .* is in none\. Move it"),
        (("2026-11-02",), {}, r"the last 2 of .*clicks, which has 1, from 2026-11-02 to 2026-11-02\. Write `last: 1`"),
    ],
)
def test_wrong_days_are_one_sentence(
    tmp_path: Path, days: tuple[str, ...], changes: dict[str, Any], reason: str
) -> None:
    message = refused(SpecError, in_days(tmp_path, *days, **changes))
    assert re.search(reason, message), message


@pytest.mark.parametrize("wrong", [{"last": 2}, {"column": "day", "last": -1}, {"column": "day", "first": 2}, "day"])
def test_days_name_a_column_and_a_number(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(SpecError, match=r"is not a valid dataset config: interactions\.days"):
        datasets.describe(in_days(tmp_path, "2026-11-01", days=wrong))


def test_a_delta_table_has_no_folders_to_choose_from(tmp_path: Path) -> None:
    rows = pa.table({"user": ["u", "u"], "item": ["i", "j"], "hit": [0, 1], "day": ["2026-11-01", "2026-11-02"]})
    write_deltalake(tmp_path / "clicks", rows, partition_by=["day"])
    assert "is a Delta table, and `days` chooses among folders" in refused(SpecError, in_days(tmp_path))


def test_in_a_container_the_latest_days_are_listed(tmp_path: Path) -> None:
    names = [f"shop/day=2026-11-{day:02d}/part-{part}.csv" for day in (1, 9, 10) for part in (0, 1)]
    of = configured(tmp_path, {"path": SHOP, "days": {"column": "day", "last": 2}})
    found = datasets.describe(of, Listing(names))
    assert [file.path.rpartition("shop/")[2] for file in found.partitions] == [
        "day=2026-11-09/part-0.csv",
        "day=2026-11-09/part-1.csv",
        "day=2026-11-10/part-0.csv",
        "day=2026-11-10/part-1.csv",
    ]


@pytest.mark.parametrize("name", ["shop/part-0.csv", "shop/day=2026-13-01/part-0.csv", "shop/day=2026-11-01/p.csv"])
def test_in_a_container_wrong_days_are_refused_too(tmp_path: Path, name: str) -> None:
    of = configured(tmp_path, {"path": SHOP, "days": {"column": "day", "last": 2}})
    with pytest.raises(DatasetError, match=r"`days` (reads folders|needs dates|asks for the last 2 of)"):
        datasets.describe(of, Listing([name]))


@pytest.mark.parametrize("block_bytes", [1, 13, 1 << 20])
@pytest.mark.parametrize("late", ["", 'u5,"3 \n', "u5\n"])
def test_a_row_has_the_place_of_its_line(tmp_path: Path, block_bytes: int, late: str) -> None:
    users = f"\ufeffuser,age\r\nu1,30\r\n\r\n \t\nu2,old\n\n\nu3,\n{late}u4,\u00e9"
    (tmp_path / "users.csv").write_bytes(users.encode())
    found = [chunk.lines() for chunk in chunks(TableFile(tmp_path / "users.csv"), ["age"], block_bytes)]
    rows = [row for lines in found for row in zip(lines.places, lines.columns["age"], strict=True)]
    wrong = [place for lines in found for place, _ in lines.misshapen]
    if '"' in late and block_bytes > 100:  # an open quote takes what follows
        assert (rows, wrong) == ([(2, "30"), (5, "old"), (8, "")], [9])
        return
    assert rows == [(2, "30"), (5, "old"), (8, ""), (9 + late.count("\n"), "\u00e9")]
    assert wrong == ([9] if late else [])


@pytest.mark.parametrize("characters", range(1, 18))
def test_what_begins_within_so_much_text_is_read(tmp_path: Path, characters: int) -> None:
    lines = ["u1\n", "u22\n", "u333\n", "u4\n"]
    (tmp_path / "users.csv").write_text("user\n" + "".join(lines))
    table = Beginning([TableFile(tmp_path / "users.csv")], ["user"], characters)
    read = [text for chunk in table for text in chunk.texts()["user"].to_pylist()]
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    assert read == [line.strip() for line, start in zip(lines, starts, strict=True) if start < characters]
    assert table.whole == (len(read) == len(lines))
