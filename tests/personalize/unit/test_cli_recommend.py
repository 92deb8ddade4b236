"""`recommend` asks the service, and prints what it answers."""

import json
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from features.errors import BadInputError
from personalize.commands import service
from personalize.commands.app import app
from personalize.stack.service import Service

ANSWER: dict[str, Any] = {
    "items": [
        {
            "item": "i7",
            "score": 0.25,
            "reason": "history",
            "because": [{"item": "i3", "columns": {"title": "[One]"}}, {"item": "i9", "columns": {}}],
            "columns": {"title": "[A] film", "year": 1990, "genre": ["cr\x1bme", "dram\u202e"]},
        },
        {"item": "[b]", "score": 0.0, "reason": "popular", "because": [], "columns": {}},
        {
            "item": "i3",
            "score": 0.2,
            "reason": "history",
            "because": [{"item": "i3", "columns": {"title": "[One]"}}],
            "columns": {},
        },
        {"item": "n", "score": None, "reason": "new", "because": [], "columns": {}},
    ],
    "fallback": ["fewer"],
    "model": {"name": "films", "version": "4"},
}


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the service is asked."""
    asked: list[Any] = []

    class Answering:
        def post(self, path: str, body: Any) -> Any:
            asked.append((path, body))
            return ANSWER

    monkeypatch.setattr(Service, "of", lambda _: Answering())
    return asked


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["recommend", *arguments], catch_exceptions=False)


def test_it_prints_a_table_and_what_was_done(bodies: list[Any]) -> None:
    result = run("--history", "i3, i9,", "--top", "3", "--exclude", "i1")
    assert bodies == [("/recommend", {"history": ["i3", "i9"], "top": 3, "exclude": ["i1"]})]
    header, first, second, own, third = (line.split() for line in result.stdout.splitlines())
    assert header == ["item", "title", "year", "genre", "reason"]
    assert " ".join(first) == "1. i7 [A] film 1990 cr�me, dram� because of [One] and i9"
    assert second == ["2.", "[b]", "many", "chose", "it"]
    assert own == ["3.", "i3", "chosen", "before"]
    assert third == ["4.", "n", "new"]
    assert "There are no more items." in result.stderr
    assert "recommended by model version 4" in result.stderr


@pytest.mark.usefixtures("bodies")
def test_on_a_terminal_a_long_reason_goes_on_below_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "results", Console(width=60, force_terminal=True, color_system=None, soft_wrap=True))
    lines = [line.rstrip() for line in run("--history", "i3").stdout.splitlines()]
    assert max(map(len, lines)) <= 60
    assert [line.split("  ")[-1].strip() for line in lines[1:3]] == ["because of [One] and", "i9"]


def test_a_user_columns_to_show_and_places_for_new_items_are_passed_on(bodies: list[Any]) -> None:
    run("u017", "--history", "i3", "--show", "title, year", "--new", "0")
    body = {"user": "u017", "history": ["i3"], "top": 10, "show": ["title", "year"], "new": 0}
    assert bodies == [("/recommend", body)]


def test_as_json_it_prints_the_answer_and_nothing_else(bodies: list[Any]) -> None:
    assert json.loads(run("--history", "i3", "--json").stdout) == ANSWER
    assert len(bodies) == 1


def test_an_empty_history_is_refused_before_the_service_is_asked(bodies: list[Any]) -> None:
    with pytest.raises(BadInputError, match="Name a user or items"):
        run("--history", " , ")
    assert bodies == []
