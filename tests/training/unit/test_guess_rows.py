"""Guessed logs of events: what is positive, and which events make one row."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from personalize.commands.app import app
from tests.support.guessed_tables import described


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def log(folder: Path, *, session: str, purchases_of: int) -> Path:
    """40 views of 4 users, each in a session of its own, every fourth with a purchase; its item counts from
    `purchases_of` on.
    """
    lines = [f"user_id,item_id,{session},event_type,device"]
    for number in range(40):
        user, device = f"u{number % 4}", ("phone", "tablet")[number % 2]
        lines.append(f"{user},i{number % 5},s{number},view,{device}")
        if number % 4 == 0:
            lines.append(f"{user},i{purchases_of + number % 5},s{number},purchase,{device}")
    (folder / "events.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_events_of_one_user_item_and_session_are_guessed_to_be_one_row(tmp_path: Path) -> None:
    guessed = described(log(tmp_path, session="session_id", purchases_of=0))
    assert guessed["label"] == {"column": "event_type", "positive": ["purchase"], "negative": ["view"]}
    assert guessed["one_row_per"] == ["user_id", "item_id", "session_id"]
    assert guessed["categorical"] == ["device"]
    assert "are one row: 10 of 10 with a positive event have a negative one too." in (
        tmp_path / "dataset.yaml"
    ).read_text(encoding="utf-8")


def test_without_sessions_it_is_user_and_item(tmp_path: Path) -> None:
    guessed = described(log(tmp_path, session="shop", purchases_of=0))
    assert guessed["one_row_per"] == ["user_id", "item_id"]


def test_events_that_have_nothing_to_do_with_each_other_stay_apart(tmp_path: Path) -> None:
    assert "one_row_per" not in described(log(tmp_path, session="session_id", purchases_of=5))


@pytest.mark.parametrize(
    ("column", "values", "options", "reason"),
    [
        ("event", ["purchase"], [], "event is always purchase"),
        ("at", ["2026-01-31", "2026-02-01"], [], "no column says what came of a row"),
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
    assert f"# Every row is positive: {reason}. A recommender is trained, and no click model." in text
    drafted = yaml.safe_load(text)
    assert drafted["label"] == "positives"
    assert "categorical" not in drafted, "the keys of positives are no features"
    assert drafted.get("numeric") == (["minutes"] if column == "minutes" else None)
