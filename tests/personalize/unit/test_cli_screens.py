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
from personalize.commands import lifecycle as processes
from personalize.commands.progress import StepDisplay
from personalize.commands.status import logs
from personalize.stack.events import Phase, StepUpdate


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
    started = psutil.Process(training.pid).create_time()
    (run / "process.json").write_text(json.dumps({"pid": training.pid, "started": started}))
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
    lock = tmp_path / ".personalize" / "local" / "state" / ".pulumi" / "locks" / "a" / "id.json"
    lock.parent.mkdir(parents=True)
    content = {"pid": os.getpid(), "username": "ada", "hostname": os.uname().nodename}
    lock.write_text(json.dumps(content | {"timestamp": "2999-01-01T00:00:00+00:00"}))
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
