"""Guessed dataset configs: which table and column is what, why, and the messages if nothing can be guessed."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from features.errors import BadInputError
from personalize.commands.app import app, exit_code
from personalize.terminal import ExitCode
from tests.support.guessed_tables import described, films, shop
from tools.paths import ROOT
from training.errors import DatasetError, GuessError
from training.init_data.guess import guess
from training.init_data.profile import words


@pytest.fixture(autouse=True)
def current_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


def test_keys_of_other_names_and_types_are_found(tmp_path: Path) -> None:
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8))
    assert "lists of 2 different values; requests separate them by '|'" in (tmp_path / "dataset.yaml").read_text()
    assert guessed["interactions"] == "visits.csv"
    assert guessed["users"] == {"path": "customers.parquet", "key": "id", "interactions_key": "customerId"}
    assert guessed["items"] == {"path": "products.csv.gz", "key": "sku", "interactions_key": "product"}
    assert guessed["label"] == {"column": "clicked"}
    lists = [{"column": name, "separator": "|"} for name in ("likes", "tags")]
    assert guessed["categorical"] == [{"column": "city", "missing": ["NA"]}, *lists]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {name: f"{name}\n{name}1\n{name}2\n" for name in ("one.csv", "two.csv", "three.csv")},
            r"No table has a column with the keys of another, among one\.csv, three\.csv",
        ),
        ({"b.item": "x,y\n"}, r"has no table, .* Ignored were b\.item: rename them .*--interactions FILE"),
        (
            {"log.csv": "user_id,item_id,event\nu1,i1,view\nu1,i1,click\nu2,i2,view\n"},
            r"looks like a feature\. Users and items don't come back often enough",
        ),
        (
            {"log.csv": "Export of 2026\nuser_id,item_id\nu1,i1\n"},
            r"2 of 2 rows .* line 2 has 2 fields instead of 1, .*; the first line must name the columns\.",
        ),
        ({"log.csv": "user_id,item_id\n"}, r"log\.csv has no row\. Give a file with rows"),
        (
            {"log.csv": "196,242,3,881250949\n186,302,3,891717742\n"},
            r"log\.csv must name the columns, but looks like data: 196, 242, 3, 881250949",
        ),
    ],
)
def test_tables_that_mean_nothing_are_refused(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=problem):
        guess(tmp_path, {})
    with pytest.raises(GuessError, match=r"is a file\. Give the folder with the tables"):
        guess(tmp_path / next(iter(files)), {})


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


def test_a_named_file_of_an_unknown_format_is_refused_before_it_is_read(tmp_path: Path) -> None:
    films(tmp_path)
    item = (tmp_path / "b.tsv").rename(tmp_path / "b.item")
    with pytest.raises(GuessError, match=r"The format of .*b\.item is unknown\. Rename .* \.json\.gz or \.parquet"):
        guess(tmp_path, {"items": item})


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
    unused = "# Not used, since it does not have one row for each user or item: d.csv"
    assert unused in (tmp_path / "dataset.yaml").read_text()
    told = {"interactions": tmp_path / "a.tsv", "users": tmp_path / "c.tsv", "items": tmp_path / "b.tsv"}
    assert described(tmp_path, told)["items"]["path"] == "b.tsv"


def log(folder: Path, *, session: str, clicks_on: int) -> Path:
    """40 views of 4 users, each in a session of its own, every fourth with a click; its item counts from `clicks_on`
    on.
    """
    lines = [f"user_id,item_id,{session},event_type,device"]
    for number in range(40):
        user, device = f"u{number % 4}", ("phone", "tablet")[number % 2]
        lines.append(f"{user},i{number % 5},s{number},view,{device}")
        if number % 4 == 0:
            lines.append(f"{user},i{clicks_on + number % 5},s{number},click,{device}")
    (folder / "events.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_events_of_one_user_item_and_session_are_guessed_to_be_one_row(tmp_path: Path) -> None:
    guessed = described(log(tmp_path, session="session_id", clicks_on=0))
    assert guessed["label"] == {"column": "event_type", "positive": ["click"], "negative": ["view"]}
    assert guessed["one_row_per"] == ["user_id", "item_id", "session_id"]
    assert guessed["categorical"] == ["device"]
    assert "are one row: 10 of 10 with a positive event have a negative one too" in (
        tmp_path / "dataset.yaml"
    ).read_text(encoding="utf-8")


def test_without_sessions_it_is_user_and_item(tmp_path: Path) -> None:
    guessed = described(log(tmp_path, session="shop", clicks_on=0))
    assert guessed["one_row_per"] == ["user_id", "item_id"]


def test_events_that_have_nothing_to_do_with_each_other_stay_apart(tmp_path: Path) -> None:
    assert "one_row_per" not in described(log(tmp_path, session="session_id", clicks_on=5))


@pytest.mark.parametrize(
    ("column", "values", "options", "reason"),
    [
        ("event", ["purchase"], [], "no column says what came of a row (if one does, add --label COLUMN)"),
        ("at", ["2026-01-31", "2026-02-01"], [], "no column says what came of a row (if one does, add --label COLUMN)"),
        ("minutes", ["1", "3", "30"], [], "no column says what came of a row (if one does, add --label COLUMN)"),
        ("minutes", ["1", "3", "30"], ["--label", "positives"], "as `--label positives` says"),
    ],
)
def test_rows_without_negatives_are_drafted_as_positives(
    tmp_path: Path, column: str, values: list[str], options: list[str], reason: str
) -> None:
    lines = [f"u{number % 4},i{number % 5},{values[number % len(values)]}" for number in range(40)]
    (tmp_path / "listens.csv").write_text("\n".join([f"user_id,item_id,{column}", *lines]) + "\n")
    run = CliRunner().invoke(app, ["init-data", str(tmp_path), *options])
    assert run.exit_code == 0, run.output
    text = (tmp_path / "dataset.yaml").read_text(encoding="utf-8")
    assert f"# Every row is a choice, such as a purchase: {reason}." in text
    drafted = yaml.safe_load(text)
    assert drafted["label"] == "positives"
    assert not {"numeric", "categorical"} & set(drafted), "a recommender reads no columns of the interactions"
    assert (f"{column} (listens.csv): only columns of users and items help" in text) is (column != "at")


def test_the_example_is_guessed_as_it_is_described(tmp_path: Path) -> None:
    for path in (ROOT / "examples/tables").glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    written = yaml.safe_load((ROOT / "examples/tables/dataset.yaml").read_text())
    written["categorical"].remove("device")  # a column beside a rating may be known only after the choice
    assert described(tmp_path) == written
    assert "#   device (interactions.csv): with a rating as label" in (tmp_path / "dataset.yaml").read_text()


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


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ([0, 1, 1], {}),
        (["True", "False", "False"], {"equals": True}),
        (["impression", "purchase", "cart"], {"positive": ["purchase"], "negative": ["cart", "impression"]}),
        (["view", "click", "Like"], {"positive": ["Like", "click"], "negative": ["view"]}),
        ([1, 3, 5], {"at_least": 4}),
        ([2, 8, 10], {"at_least": 7}),
        ([10, 20, 40], {"at_least": 20}),
    ],
)
def test_the_labels_rule_follows_from_its_values(tmp_path: Path, values: list[object], rule: dict[str, object]) -> None:
    assert described(shop(tmp_path, event=values * 8))["label"] == {"column": "event", **rule}


def test_a_label_of_another_name_can_be_told(tmp_path: Path) -> None:
    folder = shop(tmp_path, minutes=[1, 3, 30] * 8)
    assert described(folder, label="minutes")["label"] == {"column": "minutes", "at_least": 3}
    with pytest.raises(GuessError, match="has no column 'hours', only customerId, product, minutes"):
        guess(folder, {}, "hours")


@pytest.mark.parametrize(
    ("times", "form", "reason"),
    [
        (["2026-01-28 10:00:00 UTC", "2026-01-28 10:00:01 UTC"], None, "times in every row, from 2026-01-28 10:00:00"),
        (["2026-01-28 10:00:00+0200", "2026-01-28 09:00:00+0000"], None, "from 2026-01-28 10:00:00+0200 to 2026-01-28"),
        (["02/09/2026", "13/09/2026"], "day-first", "dates with the day first, as 13/09/2026 shows"),
        (["02/09/2026", "02/13/2026"], "month-first", "dates with the month first, as 02/13/2026 shows"),
        (["02/09/2026", "03/09/2026"], "day-first", "the day is assumed to come first. Write `format: month-first` if"),
        ([1_769_853_600_000, 1_769_853_600_001], "milliseconds", "milliseconds since 1970 in every row"),
        ([1_769_853_600_000_000, 1_769_853_600_000_001], "microseconds", "microseconds since 1970 in every row"),
        ([1_769_853_600, 1_769_853_601], None, "seconds since 1970 in every row, from 1769853600 to 1769853601"),
    ],
)
def test_a_time_is_taken_for_what_it_is(tmp_path: Path, times: list[object], form: str | None, reason: str) -> None:
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8, seen_at=times * 12))
    assert guessed["timestamp"] == ({"column": "seen_at", "format": form} if form else "seen_at")
    assert reason in (tmp_path / "dataset.yaml").read_text()
    assert not any("seen_at" in str(column) for column in guessed["categorical"])


def test_short_words_and_words_with_an_s_of_their_own_are_no_plurals(tmp_path: Path) -> None:
    times: list[object] = [1_769_853_600, 1_769_853_601]
    columns: dict[str, list[object]] = {"is_kept": [1, 0, 0] * 8, "ok": [0, 1, 1] * 8, "ts": times * 12}
    guessed = described(shop(tmp_path, **columns))
    assert guessed["timestamp"] == "ts"
    assert guessed["label"] == {"column": "ok"}
    names = {"userIds": ["user", "id"], "order_status": ["order", "status"], "ads.class": ["ad", "class"]}
    names |= {"itemid": ["item", "id"], "paid": ["paid"], "android": ["android"]}
    assert {name: words(name) for name in names} == names


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
    assert guessed["categorical"] == [{"column": name, "separator": "|"} for name in ("likes", "tags")]
    text = (tmp_path / "dataset.yaml").read_text()
    for part in ("site (visits.csv): is always 'web'", "note (visits.csv): has 24 different", "city (customers"):
        assert part in text


def test_numbers_with_a_decimal_comma_are_no_lists_of_values(tmp_path: Path) -> None:
    prices: list[object] = ["1,5", "12,50", "1.012,5", "7", "NA", "12,5"]
    lists: list[object] = ["1,5", "1,5,7", "5,7", "7", "1,7", "1"]
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8, paid=prices * 4, groups=lists * 4))
    assert {"column": "groups", "separator": ","} in guessed["categorical"]
    assert "paid" not in str(guessed)
    assert "paid (visits.csv): has numbers with a comma ('1.012,5')" in (tmp_path / "dataset.yaml").read_text()


def test_spaces_around_separated_values_make_no_other_values(tmp_path: Path) -> None:
    groups: list[object] = ["a;b", "b ; a", " a", "b; c"]
    guessed = described(shop(tmp_path, clicked=[0, 1, 1] * 8, groups=groups * 6))
    assert {"column": "groups", "separator": ";"} in guessed["categorical"]
    assert "3 different values between ';'" in (tmp_path / "dataset.yaml").read_text()


def test_without_a_column_of_user_keys_the_file_says_that_nothing_is_recommended(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").write_text(
        "who,sku,clicked,page\n" + "".join(f"{n % 9},{n % 7},{n % 2},{n % 3}\n" for n in range(63))
    )
    assert set(described(tmp_path)) & {"users", "items"} == {"items"}
    assert "# No column seems to have the keys of users" in (tmp_path / "dataset.yaml").read_text()


def test_where_nothing_is_left_out_the_file_does_not_begin_to_list_it(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 9},i{n % 7},{n % 2}\n" for n in range(63))
    (tmp_path / "visits.csv").write_text(f"user_id,item_id,clicked\n{rows}")
    assert described(tmp_path)["categorical"] == ["user_id", "item_id"]
    assert "Left out" not in (tmp_path / "dataset.yaml").read_text()


def test_roles_that_somebody_tells_are_taken(tmp_path: Path) -> None:
    films(tmp_path)
    assert described(tmp_path, {"users": tmp_path / "b.tsv"})["items"]["path"] == "c.tsv"


def test_where_nothing_tells_users_from_items_both_answers_are_named(tmp_path: Path) -> None:
    """A title tells; a name would, too."""
    (tmp_path / "pairs.csv").write_text("x,y,label\n" + "".join(f"a{n % 5},b{n % 7},{n % 2}\n" for n in range(70)))
    (tmp_path / "left.csv").write_text("x,size\n" + "".join(f"a{n},{n * n}\n" for n in range(5)))
    (tmp_path / "right.csv").write_text("y,height\n" + "".join(f"b{n},{n * n}\n" for n in range(7)))
    answers = r"Add `--user-key (x|y) --item-key (x|y)`, or `--user-key \2 --item-key \1`\."
    with pytest.raises(GuessError, match=rf"tells which of . and . of pairs\.csv are the keys of users\. {answers}"):
        guess(tmp_path, {})
    roles = guess(tmp_path, {}, keys={"users": "y", "items": "x"}).roles
    assert [link.foreign_key for link in roles.links.values()] == ["y", "x"]
    (tmp_path / "left.csv").write_text("x,size,title\n" + "".join(f"a{n},{n * n},The {n}th\n" for n in range(5)))
    assert described(tmp_path)["items"] == {"path": "left.csv", "key": "x"}


def test_the_command_writes_the_files_and_never_over_others_unasked(tmp_path: Path) -> None:
    films(tmp_path)
    run = CliRunner().invoke(app, ["init-data", str(tmp_path), "--json"])
    assert run.exit_code == 0, run.output
    answer = json.loads(run.stdout)
    assert answer["path"] == str(tmp_path / "dataset.yaml")
    assert answer["dataset"]["label"]["at_least"] == 4
    (tmp_path / "dataset.yaml").write_text("mine")
    again = CliRunner().invoke(app, ["init-data", str(tmp_path)])
    assert isinstance(again.exception, BadInputError)
    assert "There is a file" in str(again.exception)
    assert (tmp_path / "dataset.yaml").read_text() == "mine"
    assert CliRunner().invoke(app, ["init-data", str(tmp_path), "--force"]).exit_code == 0
    assert "a.tsv" in (tmp_path / "dataset.yaml").read_text()
    stack = Path(answer["stack_file"])
    assert stack == Path.cwd() / f"{tmp_path.name}.yaml"
    dataset = {"kind": "tables", "spec": str(tmp_path / "dataset.yaml")}
    assert yaml.safe_load(stack.read_text())["config"]["personalization:dataset"] == dataset
    (tmp_path / "dataset.yaml").unlink()
    stack.write_text("mine")
    third = CliRunner().invoke(app, ["init-data", str(tmp_path)])
    assert f"There is a file {stack} already" in str(third.exception)
    assert stack.read_text() == "mine"
    assert not (tmp_path / "dataset.yaml").exists()


def test_what_the_tables_do_not_bear_out_is_said_and_the_command_can_be_run_again(tmp_path: Path) -> None:
    films(tmp_path)
    before = (tmp_path / "a.tsv").read_text()
    with (tmp_path / "a.tsv").open("a") as stream:
        stream.write("7\t8\t3\n")
    run = CliRunner().invoke(app, ["init-data", str(tmp_path)])
    assert isinstance(run.exception, DatasetError)
    assert exit_code(run.exception) is ExitCode.BAD_INPUT
    assert "a.tsv: 1 of 1,001 rows is not split as the header is: line 1002 has" in str(run.exception)
    assert not (tmp_path / "dataset.yaml").exists()
    assert not Path(f"{tmp_path.name}.yaml").exists()
    (tmp_path / "a.tsv").write_text(before)
    assert CliRunner().invoke(app, ["init-data", str(tmp_path)]).exit_code == 0


def test_an_interrupted_command_keeps_the_file_that_it_was_to_overwrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films(tmp_path)
    (tmp_path / "dataset.yaml").write_text("mine")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("personalize.commands.init_data.look_at", interrupted)
    CliRunner().invoke(app, ["init-data", str(tmp_path), "--force"])
    assert (tmp_path / "dataset.yaml").read_text() == "mine"
