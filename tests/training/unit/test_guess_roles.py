"""Which table has the interactions, users and items, and which columns are keys, as `init-data` guesses."""

from pathlib import Path

import pytest

from tests.support.guessed_tables import described, films, shop
from training.datasets.errors import GuessError
from training.datasets.guesses.guess import guess


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_keys_of_other_names_and_types_are_found(tmp_path: Path) -> None:
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8))
    assert "lists of 2 different values; requests separate them by '|'" in (tmp_path / "dataset.yaml").read_text()
    assert guessed["interactions"] == "visits.csv"
    assert guessed["users"] == {"path": "customers.parquet", "key": "id", "interactions_key": "customerId"}
    assert guessed["items"] == {"path": "products.csv.gz", "key": "sku", "interactions_key": "product"}
    assert guessed["label"] == {"column": "clicked"}
    lists = [{"column": name, "separator": "|"} for name in ("likes", "tags")]
    assert guessed["categorical"] == [{"column": "city", "missing": ["NA"]}, *lists]


def test_tables_that_share_no_key_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.csv").write_text(f"{name}\n{name}1\n{name}2\n")
    with pytest.raises(GuessError, match=r"No table has a column with the keys of another, among one\.csv, three\.csv"):
        guess(tmp_path, {})


def test_items_without_a_table_are_named_by_their_key(tmp_path: Path) -> None:
    films(tmp_path)
    (tmp_path / "b.tsv").rename(tmp_path / "b.item")
    guessed = described(tmp_path)
    assert guessed["users"] == {"path": "c.tsv", "key": "user_id:token"}
    assert guessed["items"] == {"key": "item_id:token"}
    assert guessed["categorical"] == ["gender:token"]
    text = (tmp_path / "dataset.yaml").read_text()
    assert 'key: "item_id:token" # by its name; no table has a row for each' in text
    assert "# Ignored, since its format is unknown: b.item" in text


def test_interactions_alone_are_guessed(tmp_path: Path) -> None:
    rows = [f"u{n % 7},i{n % 5},{'phone' if n % 3 else 'tablet'},{n % 2}" for n in range(70)]
    (tmp_path / "log.csv").write_text("\n".join(["visitor,product_id,device,clicked", *rows]) + "\n")
    assert described(tmp_path) == {
        "interactions": "log.csv",
        "users": {"key": "visitor"},
        "items": {"key": "product_id"},
        "label": {"column": "clicked"},
        "categorical": ["device"],
    }


def test_a_table_that_nothing_refers_to_is_said_to_be_unused(tmp_path: Path) -> None:
    films(tmp_path)
    (tmp_path / "d.csv").write_text("x,y\n1,2\n")
    assert described(tmp_path)["items"]["path"] == "b.tsv"
    assert (
        "# Not used, since the interactions have no column with its keys: d.csv"
        in (tmp_path / "dataset.yaml").read_text()
    )
    told = {"interactions": tmp_path / "a.tsv", "users": tmp_path / "c.tsv", "items": tmp_path / "b.tsv"}
    assert described(tmp_path, told)["items"]["path"] == "b.tsv"


def test_a_folder_without_a_table_says_which_files_are_tables(tmp_path: Path) -> None:
    (tmp_path / "b.item").write_text("x,y\n")
    with pytest.raises(GuessError, match=r"has no table, .* ignored: b\.item\. .*--interactions FILE"):
        guess(tmp_path, {})
