"""Tables as they are: separators, encodings and quotes, folders of files, and one clear sentence for what is wrong."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from features.files import sha256
from tests.support.guessed_tables import described
from tests.support.rows import read, refused
from training import datasets
from training.datasets import manifest
from training.datasets.errors import (
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

SEEN = [("u1", "i1", "phone", 5), ("u2", "i2", "Fernseher", 1), ("u1", "i2", "phone", 4), ("u2", "i1", "", 2)]
ROWS = pd.DataFrame(SEEN, columns=["user", "item", "device", "rating"])


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


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
    assert f"{folder}/ü b.tsv, label rating: 1 of 2 fields is no number: line 3 'viel'" in text


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


def test_of_many_files_only_the_new_one_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seen").mkdir()
    for number in range(100):
        (tmp_path / "seen" / f"part-{number:03}.csv").write_text(f"user,device,rating\nu{number},a,5\nu{number},b,1\n")
    read_whole: list[str] = []

    def hashed(path: Path) -> str:
        read_whole.append(path.name)
        return sha256(path)

    monkeypatch.setattr(manifest, "sha256", hashed)
    first = datasets.describe(dataset(tmp_path, "seen")).hash
    assert len(read_whole) == 100
    (tmp_path / "seen" / "part-100.csv").write_text("user,device,rating\nu1,a,1\n")
    read_whole.clear()
    second = datasets.describe(dataset(tmp_path, "seen")).hash
    assert read_whole == ["part-100.csv"]
    assert second != first
    assert datasets.describe(dataset(tmp_path, "seen")).hash == second


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
    assert text.startswith(f"{tmp_path}/seen/b.parquet is no whole Parquet file: its end, which lists the columns, is ")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert f"the interactions file {tmp_path}/seen, which does not exist" in refused(
        MissingFileError, dataset(tmp_path, "seen")
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
