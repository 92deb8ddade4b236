"""Output of the commands: the steps of an update, the logs, and what `reset` leaves."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from personalize import errors
from personalize.commands import figures as tables
from personalize.commands import lifecycle as processes
from personalize.commands import models
from personalize.commands.progress import StepDisplay
from personalize.commands.status import logs
from personalize.stack.events import Phase, StepUpdate
from personalize.terminal import results
from recommend import histories
from steps.folders import StackFolder
from tests.support.recommenders import write_snapshots


def test_as_many_lines_of_the_log_are_shown_as_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path))
    service = tmp_path / "local" / "service"
    service.mkdir(parents=True)
    (service / "scoring.log").write_text("".join(f"line {number}\n" for number in range(100)))
    logs(lines=2)
    assert capfd.readouterr().out == "line 98\nline 99\n"
    logs(lines=1, as_json=True)
    assert json.loads(capfd.readouterr().out) == {"logs": {"scoring.log": ["line 99"]}}


def test_reset_stops_what_runs_from_the_folder_and_removes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / ".personalize"))
    folder = tmp_path / ".personalize" / "local"
    run = folder / "runs" / "one"
    for place in (folder / "service", run):
        place.mkdir(parents=True)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    service = subprocess.Popen([*sleep, "--keys-file", str(folder / "service" / "keys")])
    training = subprocess.Popen(sleep, start_new_session=True)
    command = psutil.Process(training.pid).cmdline()
    (run / "process.json").write_text(json.dumps({"pid": training.pid, "command": command}))
    reader = subprocess.Popen([*sleep, str(folder / "service" / "scoring.log")], cwd=folder / "service")
    try:
        assert processes.reset_stack("local") == (1, folder)
        assert service.poll() is not None
        assert training.poll() is not None
        assert reader.poll() is None, "a person's editor or shell"
        assert not folder.exists()
    finally:
        for process in (service, training, reader):
            process.kill()
            process.wait()


def test_reset_leaves_a_stack_alone_while_it_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / ".personalize"))
    monkeypatch.setattr("personalize.stack.state_store.ENGINE", psutil.Process().name())
    lock = tmp_path / ".personalize" / "local" / "state" / ".pulumi" / "locks" / "a" / "id.json"
    lock.parent.mkdir(parents=True)
    content = {"pid": os.getpid(), "username": "ada", "hostname": os.uname().nodename}
    lock.write_text(json.dumps(content | {"timestamp": "2020-01-01T00:00:00+00:00"}))
    with pytest.raises(errors.StackBusyError, match=f"kill -INT {os.getpid()}"):
        processes.reset_stack("local")
    assert lock.exists()


def shown(updates: list[StepUpdate]) -> str:
    stream = StringIO()
    with StepDisplay(Console(file=stream, force_terminal=False, width=90, color_system=None)).shown() as display:
        for update in updates:
            display(update)
    return stream.getvalue()


def step(phase: Phase, operation: str = "", text: str = "") -> StepUpdate:
    return StepUpdate(step="TrainingRun", phase=phase, operation=operation, text=text)


def test_without_a_terminal_each_stage_is_one_line() -> None:
    messages = [step(Phase.MESSAGE, text=f"fit: iteration {number} of 50") for number in range(1, 51)]
    lines = shown(
        [step(Phase.STARTED, "create"), *messages, step(Phase.MESSAGE, text="evaluate"), step(Phase.FINISHED, "create")]
    ).splitlines()
    assert lines == [
        "training: creating",
        "training: fit: iteration 1 of 50",
        "training: evaluate",
        "training: created",
    ]


def test_on_a_terminal_the_newest_message_stands_beside_its_step() -> None:
    display = StepDisplay(Console(file=StringIO(), force_terminal=True))
    for text in ("fit: iteration 7 of 50", "fit: iteration 8 of 50"):
        display(step(Phase.STARTED, "create"))
        display(step(Phase.MESSAGE, text=text))
    screen = Console(file=StringIO(), width=90)
    with screen.capture() as captured:
        screen.print(display)
    [line] = captured.get().splitlines()
    assert "training" in line
    assert "fit: iteration 8 of 50" in line


def test_models_fit_a_terminal_and_those_of_other_datasets_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"version": number, "champion": number == 12, "accepted": number != 13, "reasons": ["It is worse."]}
        | {"registered": "2026-11-30T12:45:27+00:00", "auc": 0.7392, "log_loss": 0.5786, "ndcg": 0.1751}
        | {"manifest_hash": data * 64, "dataset_hash": config, "code_hash": "c" * 64}
        for number, data, config in ((13, "d", "1"), (12, "a", "1"), (11, "b", "2"), (10, "b", ""), (9, "a", ""))
    ]
    models.show_models(rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    marks = ["dddddd ", "aaaaaa ", "bbbbbb*", "bbbbbb*", "aaaaaa "]
    assert [mark in line for mark, line in zip(marks, lines[1:6], strict=True)] == [True] * 5
    assert lines[6] == "* of another dataset than version 12: don't compare its figures"


def test_a_recommenders_table_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {name: {"ndcg": 0.1751, "recall": 0.2382, "coverage": 1.0, "popular": 1.0} for name in tables.RANKERS}
    judged = {"accepted": True, "users": 5_000, "new_users": 1_234, "figures": figures, "figures_of_new": figures}
    results.print(tables.recommender_table(judged))
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert [line.split("  ")[0] for line in lines[1:]] == ["this recommender", *tables.RANKERS[1:]]


@pytest.mark.parametrize(("in_ci", "user"), [("", "3"), ("true", "USER")])
def test_an_update_ends_with_a_command_for_a_user_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, in_ci: str, user: str
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path))
    monkeypatch.setenv("CI", in_ci)
    monkeypatch.setattr(histories, "SOME_CHOICES", 1)
    monkeypatch.setattr(processes, "azure_of", lambda _: None)
    write_snapshots(StackFolder(tmp_path / "local").snapshots_of("abc"))
    judged = {"accepted": True, "reason": "", "users": 40, "figures": {}, "figures_of_new": {}}
    outputs = {"endpoint": "http://127.0.0.1:1", "model_version": 1, "bundle_hash": "abc", "report": "r.html"}
    processes.show_summary(outputs | {"metrics": {"recommender": judged}}, "local")
    said = capsys.readouterr().out
    assert f"  .venv/bin/personalize recommend {user} --top 5\n" in said
    assert "\nReport: `.venv/bin/personalize report --open` shows it\n" in said, "the file is on another machine"
    last = "Page: http://127.0.0.1:1 in a browser; sign in with any name, and as password what"
    assert said.endswith(f"\n{last} `.venv/bin/personalize key` prints\n")
