"""Ctrl-C during an update, with a stand-in for the Pulumi CLI that cancels on request."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.automation.errors import CommandError

from personalize import errors
from personalize.engine.automation import InterruptiblePulumi
from personalize.engine.interruption import run_interruptible
from personalize.engine.process import PulumiProcess


@pytest.fixture
def slow_pulumi(tmp_path: Path) -> Iterator[PulumiProcess]:
    script = tmp_path / "pulumi"
    script.write_text("#!/bin/sh\ntrap 'echo cancelled >&2; exit 7' INT\necho started\nwhile :; do sleep 0.05; done\n")
    script.chmod(0o755)
    pulumi = PulumiProcess(script)
    yield pulumi
    pulumi.interrupt()


def test_ctrl_c_reaches_pulumi_once_and_the_command_ends_as_interrupted(
    slow_pulumi: PulumiProcess, tmp_path: Path
) -> None:
    said: list[str] = []
    started = threading.Event()
    before = signal.getsignal(signal.SIGINT)  # Spark sets its own handler if it has run in this process

    def press_ctrl_c() -> None:
        assert started.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press_ctrl_c).start()
    command = InterruptiblePulumi(slow_pulumi)
    with pytest.raises(errors.UpdateInterruptedError, match="Run the same command again") as caught:
        run_interruptible(
            lambda: command.run(["up"], str(tmp_path), {}, on_output=lambda _: started.set()),
            slow_pulumi.interrupt,
            said.append,
        )
    assert isinstance(caught.value.__cause__, CommandError)
    assert "cancelled" in str(caught.value.__cause__)
    assert len(said) == 1
    assert signal.getsignal(signal.SIGINT) is before


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
    assert PulumiProcess(script).run(["up"], str(tmp_path), {}).stdout == "unset"


def test_pulumi_finds_the_projects_own_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    script = tmp_path / "pulumi"
    script.write_text('#!/bin/sh\necho "$PATH"\n')
    script.chmod(0o755)
    found = PulumiProcess(script).run(["up"], str(tmp_path), {}).stdout.split(":")
    assert found[:2] == [str(tmp_path), str(Path(sys.executable).parent)]
