"""Guessed logs of events: what is positive, and which events make one row."""

from pathlib import Path

import pytest

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
