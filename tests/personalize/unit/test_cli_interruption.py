"""Signals during a command, with a stand-in for the Pulumi CLI that cancels on request."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from pulumi.automation.errors import CommandError

from personalize import errors
from personalize.commands import app as command_line
from personalize.commands import lifecycle
from personalize.stack.pulumi_command import InterruptiblePulumi
from personalize.stack.signals import SIGNALS, run_interruptible
from personalize.terminal import ExitCode
from tools.paths import ROOT


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """No signal is ignored, though the tests may run in the background or under `nohup`."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    yield
    for number, previous in before.items():
        signal.signal(number, previous)


@pytest.fixture
def slow_pulumi(tmp_path: Path) -> Iterator[InterruptiblePulumi]:
    """Cancels as Pulumi does: an update ends with an error, a deletion with exit code 0."""
    script = tmp_path / "pulumi"
    script.write_text(
        '#!/bin/sh\n[ "$2" = destroy ] && code=0 || code=7\ntrap "echo cancelled >&2; exit $code" INT\n'
        f"echo $2 >> {tmp_path}/begun\necho started\nwhile :; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    pulumi = InterruptiblePulumi(script)
    yield pulumi
    pulumi.interrupt()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("operation", ["up", "destroy"])
def test_a_signal_reaches_pulumi_once_and_the_command_ends_as_interrupted(
    slow_pulumi: InterruptiblePulumi, tmp_path: Path, operation: str, number: int
) -> None:
    said: list[str] = []
    started = threading.Event()
    before = signal.getsignal(number)  # Spark sets its own handler if it has run in this process

    def send() -> None:
        assert started.wait(60)
        os.kill(os.getpid(), number)

    threading.Thread(target=send).start()
    with pytest.raises(errors.UpdateInterruptedError, match="Run the same command again") as caught:
        run_interruptible(
            lambda: slow_pulumi.run([operation], str(tmp_path), {}, on_output=lambda _: started.set()),
            slow_pulumi.interrupt,
            said.append,
        )
    assert isinstance(caught.value.__cause__, CommandError if operation == "up" else type(None))
    assert len(said) == 1
    assert signal.getsignal(number) is before


def test_a_command_outside_an_operation_is_interrupted_too_and_no_other_one_begins(
    slow_pulumi: InterruptiblePulumi, tmp_path: Path
) -> None:
    def interrupt(_: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(errors.UpdateInterruptedError):
        slow_pulumi.run(["destroy"], str(tmp_path), {}, on_output=interrupt)
    with pytest.raises(errors.UpdateInterruptedError):
        slow_pulumi.run(["stack"], str(tmp_path), {})
    assert (tmp_path / "begun").read_text() == "destroy\n"


@pytest.mark.parametrize(("number", "counts"), [(signal.SIGHUP, False), (signal.SIGINT, True)])
def test_nohup_ignores_a_hangup_and_a_shell_that_ignores_ctrl_c_in_its_background_jobs_does_not(
    number: int, *, counts: bool
) -> None:
    said: list[str] = []
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with pytest.raises(errors.UpdateInterruptedError) if counts else nullcontext():
            run_interruptible(lambda: os.kill(os.getpid(), number), lambda: True, said.append)
    finally:
        signal.signal(number, before)
    assert len(said) == counts


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("becomes", [None, ImportError("a library's own module failed to import")])
def test_a_signal_between_two_commands_of_pulumi_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, number: int, becomes: Exception | None
) -> None:
    def press(_: object) -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise becomes or KeyboardInterrupt from None

    monkeypatch.setattr(lifecycle, "reset_stack", press)
    monkeypatch.setattr(sys, "argv", ["personalize", "reset", "--yes"])
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert caught.value.code == ExitCode.INTERRUPTED
    assert "Run the same command again to continue" in capsys.readouterr().err
    assert signal.getsignal(number) is before


def test_a_command_that_ended_well_is_not_interrupted_by_a_signal_whose_exception_was_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press(_: object) -> tuple[int, str]:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return 0, "a folder"

    monkeypatch.setattr(lifecycle, "reset_stack", press)
    monkeypatch.setattr(sys, "argv", ["personalize", "reset", "--yes"])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert not caught.value.code
    assert "Interrupted" not in capsys.readouterr().err


def test_nothing_begins_after_a_signal_whose_exception_was_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []

    def lose(_: object) -> None:
        with suppress(KeyboardInterrupt):  # as where C code calls Python
            signal.raise_signal(signal.SIGTERM)
        run_interruptible(lambda: begun.append("a step"), lambda: True, lambda _: None)

    monkeypatch.setattr(lifecycle, "reset_stack", lose)
    monkeypatch.setattr(sys, "argv", ["personalize", "reset", "--yes"])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert caught.value.code == ExitCode.INTERRUPTED
    assert begun == []
    assert "Run the same command again to continue" in capsys.readouterr().err
    run_interruptible(lambda: begun.append("of another command"), lambda: True, lambda _: None)
    assert begun == ["of another command"]


IMPORTING = """
import signal, sys

class Pressed:
    def find_spec(self, name, *_):
        if name == "typer":
            signal.raise_signal(int(sys.argv[1]))

sys.meta_path.insert(0, Pressed())
signal.signal(signal.SIGINT, signal.default_int_handler)
from personalize.__main__ import main

main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_commands_are_imported_is_an_interruption_too(number: int) -> None:
    command = [sys.executable, "-c", IMPORTING, str(int(number))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stdout) == (ExitCode.INTERRUPTED, "")
    assert ended.stderr == "error: Interrupted. Run the same command again to continue.\n"


def test_a_second_ctrl_c_is_passed_on() -> None:
    begun, once, twice = (threading.Event() for _ in range(3))

    def wait() -> None:
        begun.set()
        assert twice.wait(60)
        raise OSError("the engine gave up")

    def on_interrupt() -> bool:
        (twice if once.is_set() else once).set()
        return True

    def press_twice() -> None:
        for before in (begun, once):
            assert before.wait(60)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press_twice).start()
    with pytest.raises(errors.UpdateInterruptedError):
        run_interruptible(wait, on_interrupt, lambda _: None)
    assert twice.is_set()


def test_variables_of_another_project_do_not_reach_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of another project")
    script = tmp_path / "pulumi"
    script.write_text("#!/bin/sh\necho ${PULUMI_CONFIG_PASSPHRASE-unset}\n")
    script.chmod(0o755)
    assert InterruptiblePulumi(script).run(["up"], str(tmp_path), {}).stdout == "unset"


def test_pulumi_finds_the_projects_own_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    script = tmp_path / "pulumi"
    script.write_text('#!/bin/sh\necho "$PATH"\n')
    script.chmod(0o755)
    found = InterruptiblePulumi(script).run(["up"], str(tmp_path), {}).stdout.split(":")
    assert found[:2] == [str(tmp_path), str(Path(sys.executable).parent)]
