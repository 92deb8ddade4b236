"""Progress and errors that the setup reports."""

from pathlib import Path

import pytest

from tools.setup.console import SetupError, elapsed, first_that_works, run_reported


def test_the_next_way_is_tried_with_a_line_that_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise SetupError("the network is down")

    first_that_works("it", [("the first way", fails), ("the second way", lambda: None)])

    assert capsys.readouterr().err == "the network is down; trying the second way\n"


def test_when_no_way_works_every_reason_is_told() -> None:
    def fails() -> None:
        raise SetupError("no luck")

    with pytest.raises(SetupError, match=r"cannot get it.*one: no luck.*two: no luck"):
        first_that_works("it", [("one", fails), ("two", fails)])


def test_a_failing_command_tells_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"Building: sh ended with status 3: last words"):
        run_reported(
            ["sh", "-c", "echo last words; exit 3"], "Building", folder=tmp_path, environment={}, timeout_seconds=30
        )


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no-such-command does not start"):
        run_reported(["no-such-command"], "Building", folder=tmp_path, environment={}, timeout_seconds=30)


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.setup.console.SECONDS_BETWEEN_LINES", 0.05)

    with pytest.raises(SetupError, match="still running after 0 s"):
        run_reported(["sleep", "60"], "Waiting", folder=tmp_path, environment={}, timeout_seconds=0.1)


def test_a_long_command_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.setup.console.SECONDS_BETWEEN_LINES", 0.2)

    run_reported(
        ["sh", "-c", "echo one; echo two; sleep 0.5"],
        "Building",
        folder=tmp_path,
        environment={"PATH": "/usr/bin:/bin"},
        timeout_seconds=30,
        progress=lambda count, line: f"{count} lines, now {line}",
    )

    assert "  Building: 2 lines, now two, 0 s\n" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "words"), [(12.7, "12 s"), (200, "3 min 20 s")])
def test_time_is_told_in_minutes_and_seconds(seconds: float, words: str) -> None:
    assert elapsed(seconds) == words
