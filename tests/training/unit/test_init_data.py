"""Guessed dataset configs: what is guessed, why, and the messages if nothing can be guessed."""

import gzip
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from features.errors import BadInputError
from personalize.commands.app import app, exit_code
from personalize.terminal.output import ExitCode
from tools.paths import ROOT
from training import datasets
from training.datasets.errors import DatasetError, GuessError
from training.datasets.guesses.draft import to_yaml
from training.datasets.guesses.guess import guess
from training.parameters import TablesDataset

GENRES = ["Action", "Animation", "Children's", "Comedy", "Drama", "Thriller"]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def films(folder: Path) -> Path:
    """Three tables like MovieLens' in RecBole's form: tab separated, types in the headers, keys that are numbers."""
    chance = random.Random(1)  # noqa: S311 - rows for a test, no secret
    users = [
        f"{number}\t{chance.randint(16, 70)}\t{chance.choice('MF')}\t{chance.randint(10_000, 99_999)}"
        for number in range(1, 41)
    ]
    items = [
        f"{number}	Film number {number}	{chance.randint(1960, 1998)}	"
        + " ".join(chance.sample(GENRES, chance.randint(1, 3)))
        for number in range(1, 81)
    ]
    items[7] = "8\tunkonwn\tunkonwn\tDrama"
    seen = [
        f"{chance.randint(1, 40)}\t{chance.randint(1, 80)}\t{chance.randint(1, 5)}\t{881_250_949 + number}"
        for number in range(1_000)
    ]
    for name, header, rows in (
        ("a.tsv", "user_id:token\titem_id:token\trating:float\ttimestamp:float", seen),
        ("b.tsv", "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq", items),
        ("c.tsv", "user_id:token\tage:token\tgender:token\tzip_code:token", users),
    ):
        (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder


def described(folder: Path, told: Mapping[str, Path] | None = None, label: str | None = None) -> dict[str, Any]:
    """The guessed config of the tables in a folder, after checking that it can be trained on."""
    path = folder / "dataset.yaml"
    path.write_text(to_yaml(guess(folder, told or {}, label), folder.resolve()))
    datasets.describe(TablesDataset(kind="tables", spec=path))
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def shop(folder: Path, **columns: list[object]) -> Path:
    """Tables of a shop: customers as Parquet, products as gzip, clicks as CSV with these columns beside the keys."""
    customers = {"id": [1, 2, 3, 4], "city": ["Bonn", "Köln", "Bonn", "NA"], "likes": [["a"], [], ["b"], ["a", "b"]]}
    pd.DataFrame(customers).to_parquet(folder / "customers.parquet")
    with gzip.open(folder / "products.csv.gz", "wt") as stream:
        stream.write(
            "sku,price,tags\n" + "".join(f"p{n},{n}.5,{'new|sale' if n % 2 else 'old|sale'}\n" for n in range(6))
        )
    keys = {"customerId": [1, 2, 3, 4, 1, 2, 3, 4] * 3, "product": [f"p{n % 6}" for n in range(24)]}
    pd.DataFrame({**keys, **columns}).to_csv(folder / "visits.csv", index=False)
    return folder


def test_the_example_is_guessed_as_it_is_described(tmp_path: Path) -> None:
    for path in (ROOT / "examples/tables").glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert described(tmp_path) == yaml.safe_load((ROOT / "examples/tables/dataset.yaml").read_text())


def test_tables_like_those_of_movielens_are_guessed_whole(tmp_path: Path) -> None:
    assert described(films(tmp_path)) == {
        "interactions": "a.tsv",
        "users": {"path": "c.tsv", "key": "user_id:token"},
        "items": {"path": "b.tsv", "key": "item_id:token"},
        "label": {"column": "rating:float", "at_least": 4},
        "timestamp": "timestamp:float",
        "numeric": ["age:token", {"column": "release_year:token", "missing": ["unkonwn"]}],
        "categorical": ["gender:token", {"column": "class:token_seq", "separator": " "}],
    }
    text = (tmp_path / "dataset.yaml").read_text()
    assert "1 of 80 fields are none" in text
    assert "6 different values between ' '" in text
    assert "movie_title:token_seq (b.tsv): has 80 different values in 80 fields" in text
    assert "zip_code:token (c.tsv): has 40 different values" in text


def test_keys_of_other_names_and_types_are_found(tmp_path: Path) -> None:
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8))
    assert "likes (customers.parquet): holds lists or structs" in (tmp_path / "dataset.yaml").read_text()
    assert guessed["interactions"] == "visits.csv"
    assert guessed["users"] == {"path": "customers.parquet", "key": "id", "interactions_key": "customerId"}
    assert guessed["items"] == {"path": "products.csv.gz", "key": "sku", "interactions_key": "product"}
    assert guessed["label"] == {"column": "clicked"}
    assert guessed["categorical"] == [{"column": "city", "missing": ["NA"]}, {"column": "tags", "separator": "|"}]


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ([0, 1, 1], {}),
        (["True", "False", "False"], {"equals": True}),
        (["view", "purchase", "view"], {"equals": "purchase"}),
        ([1, 3, 5], {"at_least": 4}),
        ([2, 8, 10], {"at_least": 7}),
        ([10, 20, 40], {"at_least": 20}),
    ],
)
def test_the_labels_rule_follows_from_its_values(tmp_path: Path, values: list[object], rule: dict[str, object]) -> None:
    assert described(shop(tmp_path, event=values * 8))["label"] == {"column": "event", **rule}


def test_a_label_of_another_name_can_be_told(tmp_path: Path) -> None:
    folder = shop(tmp_path, minutes=[1, 3, 30] * 8)
    with pytest.raises(GuessError, match=r"looks like a label .*, among: minutes\. Name it with --label COLUMN"):
        guess(folder, {}, None)
    assert described(folder, label="minutes")["label"] == {"column": "minutes", "at_least": 3}
    with pytest.raises(GuessError, match="has no column 'hours', only customerId, product, minutes"):
        guess(folder, {}, "hours")


def test_a_time_that_some_rows_lack_is_left_out_with_its_reason(tmp_path: Path) -> None:
    times: list[object] = ["2026-01-31", None, "2026-02-01"]
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8, seen_at=times * 8))
    assert "timestamp" not in guessed
    assert "a time that 8 rows lack" in (tmp_path / "dataset.yaml").read_text()


@pytest.mark.parametrize(
    ("times", "form", "reason"),
    [
        (["2026-01-28 10:00:00 UTC", "2026-01-28 10:00:01 UTC"], None, "times in every row, from 2026-01-28 10:00:00"),
        (["2026-01-28 10:00:00+0200", "2026-01-28 09:00:00+0000"], None, "from 2026-01-28 10:00:00+0200 to 2026-01-28"),
        (["02/09/2026", "13/09/2026"], "day-first", "dates with the day first, as 13/09/2026 shows"),
        (["02/09/2026", "02/13/2026"], "month-first", "dates with the month first, as 02/13/2026 shows"),
        (["02/09/2026", "03/09/2026"], "day-first", "the day is assumed to come first. Write `format: month-first` if"),
        ([1_769_853_600_000, 1_769_853_600_001], "milliseconds", "milliseconds since 1970 in every row"),
        ([1_769_853_600, 1_769_853_601], None, "seconds since 1970 in every row, from 1769853600 to 1769853601"),
    ],
)
def test_a_time_is_taken_for_what_it_is(tmp_path: Path, times: list[object], form: str | None, reason: str) -> None:
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8, seen_at=times * 12))
    assert guessed["timestamp"] == ({"column": "seen_at", "format": form} if form else "seen_at")
    assert reason in (tmp_path / "dataset.yaml").read_text()
    assert not any("seen_at" in str(column) for column in guessed["categorical"])


def test_a_number_is_no_time_unless_its_name_and_its_size_say_so(tmp_path: Path) -> None:
    numbers: list[object] = [1_769_853_600_000, 3]
    assert "timestamp" not in described(shop(tmp_path, clicked=[0, 1, 1] * 8, seen_at=numbers * 12))
    others: list[object] = [1_769_853_600_000, 1_769_853_600_001]
    assert "timestamp" not in described(shop(tmp_path, clicked=[0, 1, 1] * 8, price=others * 12))


def test_columns_of_no_use_are_left_out_with_their_reason(tmp_path: Path) -> None:
    extra: dict[str, list[object]] = {
        "site": ["web"] * 24,
        "note": [f"note {n}" for n in range(24)],
        "city": ["x", "y"] * 12,
    }
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8, **extra))
    assert guessed["categorical"] == [{"column": "tags", "separator": "|"}]
    text = (tmp_path / "dataset.yaml").read_text()
    for part in ("site (visits.csv): is always 'web'", "note (visits.csv): has 24 different", "city (customers"):
        assert part in text


def test_a_table_without_names_of_columns_is_refused(tmp_path: Path) -> None:
    (films(tmp_path) / "a.tsv").write_text("196\t242\t3\t881250949\n186\t302\t3\t891717742\n")
    with pytest.raises(GuessError, match=r"a\.tsv must name the columns, but looks like data: 196, 242, 3, 881250949"):
        guess(tmp_path, {})


def test_tables_that_share_no_key_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.csv").write_text(f"{name}\n{name}1\n{name}2\n")
    with pytest.raises(GuessError, match=r"No table has two columns with the keys of the two others"):
        guess(tmp_path, {})


def test_a_folder_of_other_than_three_tables_asks_which_are_meant(tmp_path: Path) -> None:
    films(tmp_path)
    (tmp_path / "b.tsv").rename(tmp_path / "b.item")
    with pytest.raises(GuessError, match=r"has 2 tables \(a\.tsv, c\.tsv\).*ignored: b\.item.*--interactions FILE"):
        guess(tmp_path, {})
    (tmp_path / "b.item").rename(tmp_path / "b.tsv")
    (tmp_path / "d.csv").write_text("x,y\n1,2\n")
    told = {"interactions": tmp_path / "a.tsv", "users": tmp_path / "c.tsv", "items": tmp_path / "b.tsv"}
    with pytest.raises(GuessError, match="has 4 tables"):
        guess(tmp_path, {})
    assert described(tmp_path, told)["items"]["path"] == "b.tsv"


def test_roles_that_somebody_tells_are_taken(tmp_path: Path) -> None:
    films(tmp_path)
    assert described(tmp_path, {"users": tmp_path / "b.tsv"})["items"]["path"] == "c.tsv"


def test_where_nothing_tells_users_from_items_the_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("x,y,label\n" + "".join(f"a{n % 5},b{n % 7},{n % 2}\n" for n in range(70)))
    (tmp_path / "left.csv").write_text("x,size\n" + "".join(f"a{n},{n * n}\n" for n in range(5)))
    (tmp_path / "right.csv").write_text("y,height\n" + "".join(f"b{n},{n * n}\n" for n in range(7)))
    described(tmp_path)
    assert "# Nothing tells the users' table from the items'" in (tmp_path / "dataset.yaml").read_text()


def test_the_command_writes_the_file_and_never_over_another_unasked(tmp_path: Path) -> None:
    films(tmp_path)
    run = CliRunner().invoke(app, ["init-data", str(tmp_path), "--json"])
    assert run.exit_code == 0, run.output
    answer = json.loads(run.stdout)
    assert answer["path"] == str(tmp_path / "dataset.yaml")
    assert answer["dataset"]["label"]["at_least"] == 4
    assert "like ratings" in answer["reasons"]["interactions rating:float"]
    (tmp_path / "dataset.yaml").write_text("mine")
    again = CliRunner().invoke(app, ["init-data", str(tmp_path)])
    assert isinstance(again.exception, BadInputError)
    assert "There is a file" in str(again.exception)
    assert (tmp_path / "dataset.yaml").read_text() == "mine"
    assert CliRunner().invoke(app, ["init-data", str(tmp_path), "--force"]).exit_code == 0
    assert "a.tsv" in (tmp_path / "dataset.yaml").read_text()


def test_what_the_tables_do_not_bear_out_is_said_after_the_file_is_written(tmp_path: Path) -> None:
    films(tmp_path)
    with (tmp_path / "a.tsv").open("a") as stream:
        stream.write("7\t\t3\t881250949\n")
    run = CliRunner().invoke(app, ["init-data", str(tmp_path)])
    assert isinstance(run.exception, DatasetError)
    assert exit_code(run.exception) is ExitCode.BAD_INPUT
    assert "key item_id:token: 1 of 1,001 fields is no key: line 1002 ''" in str(run.exception)
    assert (tmp_path / "dataset.yaml").exists()
