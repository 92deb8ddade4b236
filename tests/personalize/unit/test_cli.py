"""The command line: what it prints to which stream, and the exit code of each kind of error."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from features.errors import BadInputError, PersonalizationError
from infra.settings import SettingsError
from personalize import errors
from personalize.commands import app as command_line
from personalize.terminal import ExitCode
from training.errors import DatasetError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `personalize` on a machine without any stack; returns exit code, standard output, standard error."""
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / ".personalize"))
    monkeypatch.delenv("PERSONALIZE_DEBUG", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["personalize", *arguments])
        with pytest.raises(SystemExit) as left:
            command_line.main()
        output, error = capfd.readouterr()
        assert isinstance(left.value.code, int)
        return int(left.value.code), output, error

    return call


def test_every_command_can_answer_in_json() -> None:
    group: Any = typer.main.get_command(command_line.app)
    found = {
        name: command.make_context(name, [], resilient_parsing=True).params for name, command in group.commands.items()
    }
    assert [name for name, taken in found.items() if "as_json" not in taken] == []


def test_a_stack_without_a_file_is_found_before_the_engine_is_looked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PERSONALIZE_CACHE", "/nowhere")
    for command in ("up", "status", "destroy"):
        code, _, error = run(command, "--stack", "nowhere")
        assert code == ExitCode.BAD_INPUT
        assert "There is no stack nowhere" in error


@pytest.mark.parametrize("command", ["status", "key", "report"])
def test_a_stack_that_is_not_up_is_said_in_a_sentence_without_a_traceback(run: Run, command: str) -> None:
    code, output, error = run(command)
    assert code == ExitCode.FAILED
    assert output == ""
    assert error == "error: Stack local is not up. Run `.venv/bin/personalize up` first.\n"


def test_destroying_what_is_not_up_succeeds(run: Run) -> None:
    code, output, error = run("destroy", "--yes", "--json")
    assert code == ExitCode.OK
    assert json.loads(output) == {"changes": {}, "steps": {}, "seconds": 0.0}
    assert "nothing to destroy" in error


def test_nothing_is_deleted_unasked_where_nobody_can_answer(run: Run) -> None:
    code, _, error = run("reset")
    assert code == ExitCode.BAD_INPUT
    assert "add `--yes`" in error


def test_a_file_that_is_not_json_is_named_with_its_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text('{\n"int00": 1,\n}')
    code, _, error = run("predict", str(file))
    assert code == ExitCode.BAD_INPUT
    assert "record.json, line 3: this is not JSON" in error


@pytest.mark.parametrize("by_option", [True, False])
def test_settings_of_a_file_of_ones_own_are_shown_with_their_values(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_option: bool
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("config:\n  personalization:dataset: {kind: criteo, path: clicks.tsv}\n")
    monkeypatch.setenv("PERSONALIZE_CONFIG_FILE", "" if by_option else str(file))
    code, output, _ = run("settings", "--json", *(("--config-file", str(file)) if by_option else ()))
    assert code == ExitCode.OK
    shown = json.loads(output)
    assert shown["personalization:dataset.path"] == "clicks.tsv"
    assert shown["personalization:training.num_leaves"] == 32
    assert "personalization:dataset.rows" not in shown


def test_something_unforeseen_is_a_sentence_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(command_line, "app", fail)
    code, _, error = run()
    assert code == ExitCode.FAILED
    assert "This is a defect (surprise)." in error
    assert "ZeroDivisionError" not in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInputError("x"), ExitCode.BAD_INPUT),
        (SettingsError("x"), ExitCode.BAD_INPUT),
        (DatasetError("x"), ExitCode.BAD_INPUT),
        (errors.GateRejectedError("x"), ExitCode.GATE_REJECTED),
        (errors.StepFailedError("x"), ExitCode.FAILED),
        (errors.StackBusyError("x"), ExitCode.FAILED),
        (errors.StackPausedError("x"), ExitCode.PAUSED),
        (errors.UpdateInterruptedError("x"), ExitCode.INTERRUPTED),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: PersonalizationError, code: ExitCode) -> None:
    assert command_line.exit_code(error) is code


def test_progress_that_nobody_reads_any_more_does_not_stop_an_update() -> None:
    code = (
        "from personalize.terminal import messages\nfor _ in range(3): messages.print('x' * 100_000)\nprint('went on')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.close()
    assert process.stdout is not None
    assert process.stdout.read() == "went on\n"
    assert process.wait(timeout=60) == 0


def test_text_that_is_not_utf_8_is_no_defect(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".personalize" / "local").mkdir(parents=True)
    code, _, error = run("forget", "u\udcff")
    assert code == ExitCode.BAD_INPUT
    assert "'u\\udcff' cannot be written as utf-8" in " ".join(error.split())
