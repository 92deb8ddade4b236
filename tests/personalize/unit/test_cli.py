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
from personalize.stack import stack_files
from personalize.terminal.output import ExitCode
from training.datasets.errors import DatasetError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `personalize` on a machine without any stack; returns exit code, standard output, standard error."""
    monkeypatch.setattr(stack_files, "state_folder", lambda stack: tmp_path / ".personalize" / stack)
    monkeypatch.delenv("PERSONALIZE_DEBUG", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["personalize", *arguments])
        with pytest.raises(SystemExit) as left:
            command_line.main()
        output, error = capfd.readouterr()
        assert isinstance(left.value.code, int)
        return int(left.value.code), output, error

    return call


def test_help_lists_the_commands_and_what_the_exit_codes_mean(run: Run) -> None:
    code, output, _ = run("--help")
    assert code == ExitCode.OK
    for command in ("up", "preview", "destroy", "predict", "rank", "models", "serve", "report", "doctor", "status"):
        assert f" {command} " in output
    assert "the gate rejected it" in " ".join(output.split())


def modules_after(*calls: str) -> dict[str, set[str]]:
    """Top-level packages that are imported after each of these calls of `personalize`, one after another."""
    program = (
        "import sys\n"
        "from personalize.commands.app import main\n"
        f"for call in {calls!r}:\n"
        "    sys.argv = ['personalize', *call.split()]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit:\n"
        "        print('\\nafter', *{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.count("Usage: personalize") == len(calls)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("after ")]
    return {call: set(line) for call, line in zip(calls, lines, strict=True)}


def test_the_list_of_commands_imports_none_of_them() -> None:
    heavy = {"pulumi", "grpc", "azure", "httpx", "mlflow", "pyspark", "lightgbm", "pandas", "numpy", "pydantic"}
    assert modules_after("--help")["--help"] & heavy == set()


def test_a_commands_help_imports_neither_pulumi_nor_azure_nor_spark() -> None:
    found = modules_after(*(f"{command} --help" for command in command_line.command_names()))
    heavy = {"pulumi", "azure", "databricks", "pyspark", "mlflow"}
    assert {call: imported & heavy for call, imported in found.items() if imported & heavy} == {}


def test_a_former_name_of_a_command_still_works(run: Run) -> None:
    assert run("rollback", "latest")[2] == run("serve", "latest")[2] != ""


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


def test_a_log_in_json_is_not_followed(run: Run) -> None:
    code, _, error = run("logs", "--json", "--follow")
    assert code == ExitCode.BAD_INPUT
    assert "Leave one of them out" in error


def test_help_shows_the_first_sentence_of_each_command(run: Run) -> None:
    _, output, _ = run("--help")
    assert "Print the service's API key." in " ".join(output.split())


def test_a_paragraph_of_a_commands_help_is_as_wide_as_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _, output, _ = run("catalogue", "--help")
    assert "also after training or with an older model, until a later load has them again." in output


def test_an_unknown_option_is_a_usage_error(run: Run) -> None:
    code, _, error = run("up", "--nonsense")
    assert code == ExitCode.BAD_INPUT
    assert "--nonsense" in error


def test_the_version_is_the_packages(run: Run) -> None:
    code, output, _ = run("--version")
    assert code == ExitCode.OK
    assert output.startswith("personalize 0.")


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


def test_a_stack_without_a_file_is_bad_input(run: Run) -> None:
    code, _, error = run("up", "--stack", "nowhere")
    assert code == ExitCode.BAD_INPUT
    assert "Pulumi.nowhere.yaml does not exist" in error


def test_a_file_that_cannot_be_read_is_named(run: Run, tmp_path: Path) -> None:
    code, _, error = run("predict", str(tmp_path / "missing.json"))
    assert code == ExitCode.BAD_INPUT
    assert "missing.json can't be read: No such file or directory" in error


def test_a_file_that_is_not_json_is_named_with_its_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text('{\n"int00": 1,\n}')
    code, _, error = run("predict", str(file))
    assert code == ExitCode.BAD_INPUT
    assert "record.json, line 3: this is not JSON" in error


def test_settings_of_a_file_of_ones_own_are_shown_with_their_values(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("config:\n  personalization:dataset: {kind: criteo, path: clicks.tsv}\n")
    code, output, _ = run("settings", "--config-file", str(file), "--json")
    assert code == ExitCode.OK
    shown = json.loads(output)
    assert shown["personalization:dataset.path"] == "clicks.tsv"
    assert shown["personalization:training.num_leaves"] == 32
    assert "personalization:dataset.rows" not in shown


@pytest.mark.parametrize("command", [("key",), ("predict", "examples/record.json"), ("rank", "examples/rank.json")])
def test_asking_the_service_takes_a_stack_file_of_ones_own(run: Run, command: tuple[str, ...], tmp_path: Path) -> None:
    code, _, error = run(*command, "--config-file", str(tmp_path / "mine.yaml"))
    assert code == ExitCode.BAD_INPUT
    assert "mine.yaml" in error


def test_a_wrong_setting_is_bad_input(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("config:\n  personalization:trainings: {}\n")
    code, _, error = run("settings", "--config-file", str(file))
    assert code == ExitCode.BAD_INPUT
    assert "personalization:trainings" in error


def test_something_unforeseen_is_a_sentence_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(command_line, "app", fail)
    code, _, error = run()
    assert code == ExitCode.FAILED
    assert "This is a defect (surprise)." in error
    assert "ZeroDivisionError" not in error
    assert "Traceback" not in error


def test_debug_shows_the_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_DEBUG", "1")
    _, _, error = run("status")
    assert "Traceback" in error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInputError("x"), ExitCode.BAD_INPUT),
        (SettingsError("x"), ExitCode.BAD_INPUT),
        (DatasetError("x"), ExitCode.BAD_INPUT),
        (errors.StackFileInvalidError("x"), ExitCode.BAD_INPUT),
        (errors.GateRejectedError("x"), ExitCode.GATE_REJECTED),
        (errors.StepFailedError("x"), ExitCode.FAILED),
        (errors.StackBusyError("x"), ExitCode.FAILED),
        (errors.UpdateInterruptedError("x"), ExitCode.INTERRUPTED),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: PersonalizationError, code: ExitCode) -> None:
    assert command_line.exit_code(error) is code


def test_progress_that_nobody_reads_any_more_does_not_stop_an_update() -> None:
    code = (
        "from personalize.terminal.output import messages\n"
        "for _ in range(3): messages.print('x' * 100_000)\n"
        "print('went on')"
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
