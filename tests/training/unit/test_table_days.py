"""Interactions that come in days: which of them are read, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake

from tests.support.listings import Listing
from tests.support.rows import read, refused
from training import datasets
from training.datasets.errors import DatasetError, SpecError
from training.parameters import TablesDataset

HEADER = "user,item,hit\n"
SHOP = "abfss://events@shoplake.dfs.core.windows.net/shop"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def dataset(folder: Path, *days: str, column: str = "day", **changes: Any) -> TablesDataset:
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
    of = dataset(tmp_path, "2026-11-10", "2026-11-09", "20261101", "2025-12-31")
    assert users(of) == ["u1", "u1", "u0", "u0"]
    assert users(dataset(tmp_path, days={"column": "day"})) == ["u3", "u3", "u1", "u1", "u0", "u0", "u2", "u2"]


def test_the_copy_has_the_latest_days_alone(tmp_path: Path) -> None:
    of = dataset(tmp_path, "2026-11-01", "2026-11-02", "2026-11-03")
    datasets.materialize(of, tmp_path / "lake")
    copied = sorted(file.parent.name for file in (tmp_path / "lake").rglob("part-0.csv"))
    assert copied == ["day=2026-11-02", "day=2026-11-03"]
    assert users(of, tmp_path / "lake") == ["u1", "u1", "u2", "u2"]


def test_older_days_are_no_part_of_the_identity(tmp_path: Path) -> None:
    of = dataset(tmp_path, "2026-11-01", "2026-11-02", "2026-11-03")
    before = datasets.describe(of)
    (tmp_path / "clicks" / "day=2026-11-01" / "part-1.csv").write_text(f"{HEADER}u9,i0,1\n", encoding="utf-8")
    assert datasets.describe(of) == before
    later = datasets.describe(dataset(tmp_path, "2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"))
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
    message = refused(SpecError, dataset(tmp_path, *days, **changes))
    assert re.search(reason, message), message


@pytest.mark.parametrize("wrong", [{"last": 2}, {"column": "day", "last": -1}, {"column": "day", "first": 2}, "day"])
def test_days_name_a_column_and_a_number(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(SpecError, match=r"is no valid dataset config: interactions\.days"):
        datasets.describe(dataset(tmp_path, "2026-11-01", days=wrong))


def test_a_delta_table_has_no_folders_to_choose_from(tmp_path: Path) -> None:
    rows = pa.table({"user": ["u", "u"], "item": ["i", "j"], "hit": [0, 1], "day": ["2026-11-01", "2026-11-02"]})
    write_deltalake(tmp_path / "clicks", rows, partition_by=["day"])
    assert "is a Delta table, and `days` chooses among folders" in refused(SpecError, dataset(tmp_path))


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
