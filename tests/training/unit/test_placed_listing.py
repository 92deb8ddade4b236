"""Listings of containers, by a stand-in: what is data, what is refused, and how long a listing may be."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.support.listings import Listing
from training.datasets import describe
from training.datasets.placed import listing
from training.datasets.placed.listing import Address, TooManyFilesError, UnreadableLakeError, address_of, listed
from training.errors import DatasetError, EmptyDatasetError, MissingFileError, SpecError
from training.parameters import CriteoDataset, TablesDataset
from training.tables.delta import DeltaTableError

EVENTS = Address("shoplake", "events", "clicks")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("abfss://events@shoplake.dfs.core.windows.net/clicks", EVENTS),
        ("abfss:/events@shoplake.dfs.core.windows.net/clicks/", EVENTS),
        ("https://shoplake.blob.core.windows.net/events/clicks", EVENTS),
        ("https://shoplake.dfs.core.windows.net/events/clicks/", EVENTS),
        ("abfss://events@shoplake.dfs.core.windows.net", Address("shoplake", "events", "")),
        ("abfss://a-b@shoplake.dfs.core.windows.net/x", Address("shoplake", "a-b", "x")),
        ("https://shoplake.blob.core.windows.net/a-b", Address("shoplake", "a-b", "")),
        ("https://shoplake.blob.core.windows.net/a--b/x", None),
        (f"https://shoplake.blob.core.windows.net/{'a' * 63}/x", Address("shoplake", "a" * 63, "x")),
        (f"https://shoplake.blob.core.windows.net/{'a' * 64}/x", None),
        ("https://shoplake.blob.core.windows.net/events/clicks?sv=2024&sig=x", None),
        ("https://example.com/events/clicks", None),
        ("clicks.csv", None),
    ],
)
def test_addresses_have_the_same_meaning_in_both_forms(text: str, address: Address | None) -> None:
    assert address_of(text) == address


def test_names_that_spark_ignores_are_no_data() -> None:
    names = [
        "b.csv",
        "_SUCCESS",
        ".x.csv.crc",
        "day=1/_tmp/0.csv",
        "_day=1/a.csv",
        "day=2/a b ü.csv",
    ]
    found = [name for name, _ in listed(EVENTS, Listing([f"clicks/{name}" for name in names]))]
    assert found == ["_day=1/a.csv", "b.csv", "day=2/a b ü.csv"]


def test_a_delta_table_is_refused() -> None:
    names = ["clicks/_delta_log/00000000000000000000.json", "clicks/part-0.parquet"]
    with pytest.raises(DeltaTableError, match="is a Delta table"):
        listed(EVENTS, Listing(names))


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("clicks", "clicks//srv/evil.csv"),
        ("clicks", "clicks/../evil.csv"),
        ("clicks", "clicks/a=1/../../a=2/evil.csv"),
        ("clicks", "clicks/./a.csv"),
        ("clicks", "clicks/a//a.csv"),
        ("clicks", "clicks/a/"),
        ("", "/srv/evil.csv"),
    ],
)
def test_a_name_that_leads_out_of_the_folder_is_refused(folder: str, name: str) -> None:
    dataset = CriteoDataset(kind="criteo", path=str(Address("shoplake", "events", folder)))
    good = f"{folder}/a.csv".lstrip("/")
    with pytest.raises(DatasetError, match=re.escape(f"The name {name} at abfss://events@shoplake")):
        describe(dataset, Listing([good, name]))


@pytest.mark.parametrize("path", ["clicks/../other", "clicks//a", "./clicks"])
def test_an_address_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(SpecError, match=re.escape(f"/{path}")):
        address_of(f"abfss://events@shoplake.dfs.core.windows.net/{path}")


@pytest.mark.parametrize("name", ["../other.csv", "/srv/other.csv", "a//b.csv", ""])
def test_a_config_names_only_files_of_the_table_s_folder(tmp_path: Path, name: str) -> None:
    spec = tmp_path / "dataset.yaml"
    table = {"path": "clicks", "files": [name]}
    spec.write_text(yaml.safe_dump({"interactions": table, "label": {"column": "hit"}, "categorical": ["user"]}))
    (tmp_path / "clicks").mkdir()
    (tmp_path / "other.csv").write_text("hit,user\n1,a\n0,b\n")
    with pytest.raises(SpecError, match=r"interactions.*files"):
        describe(TablesDataset(kind="tables", spec=spec))


def test_a_single_file_has_no_name_below_its_address() -> None:
    assert [name for name, _ in listed(EVENTS, Listing(["clicks"]))] == [""]


@pytest.mark.parametrize("names", [[], ["clicks/_SUCCESS"]])
def test_a_folder_without_data_is_refused(names: Sequence[str]) -> None:
    with pytest.raises(MissingFileError, match=r"no file at abfss://events@shoplake\.dfs\.core\.windows\.net/clicks"):
        listed(EVENTS, Listing(names))


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(EmptyDatasetError, match=r"clicks/a\.csv"):
        listed(EVENTS, Listing(["clicks/a.csv"], size=0))


@pytest.mark.parametrize("most", [1_000, pytest.param(listing.MOST_FILES, marks=pytest.mark.full)])
def test_so_many_files_are_listed_and_more_are_refused(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_FILES", most)
    names = [f"clicks/part-{number:06d}.tsv" for number in range(most)]
    dataset = CriteoDataset(kind="criteo", path=str(EVENTS))
    assert len(describe(dataset, Listing(names)).partitions) == most
    with pytest.raises(TooManyFilesError, match=f"more than {most:,} files"):
        describe(dataset, Listing([*names, "clicks/more.tsv"]))


def test_each_name_size_and_etag_identifies_the_dataset() -> None:
    dataset = CriteoDataset(kind="criteo", path=str(EVENTS))
    hashes = {
        describe(dataset, Listing(names, size)).hash
        for names, size in ((["clicks/a"], 1), (["clicks/a"], 2), (["clicks/b"], 1), (["clicks/a", "clicks/b"], 1))
    }
    assert len(hashes) == 4


def test_commands_that_read_local_files_alone_say_so() -> None:
    with pytest.raises(UnreadableLakeError, match="Give a local copy"):
        describe(CriteoDataset(kind="criteo", path=str(EVENTS)))


@pytest.mark.parametrize("names", [["clicks"], ["clicks/a.csv", "clicks/b.txt"], ["clicks/a.csv.zip", "clicks/b"]])
def test_a_file_of_unknown_format_is_refused_by_name(tmp_path: Path, names: list[str]) -> None:
    spec = tmp_path / "dataset.yaml"
    spec.write_text(f"interactions: {EVENTS}\nlabel: {{column: hit}}\ncategorical: [user]\n")
    with pytest.raises(SpecError, match=r"The format of abfss://events@shoplake.*clicks.*is unknown\. Tables"):
        describe(TablesDataset(kind="tables", spec=spec), Listing(names))
