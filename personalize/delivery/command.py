"""Calls of `personalize` and git by the workflows. A command's progress goes to the workflow's log."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.errors import PersonalizationError
from personalize.engine.interruption import run_interruptible
from personalize.terminal.output import ExitCode
from tools.paths import ROOT

COMMAND = Path(sys.executable).with_name("personalize")


class CommandFailedError(PersonalizationError):
    """A command failed; its error is in the log above."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The exit code of a command, and the JSON object that it printed."""

    code: int
    content: Mapping[str, Any] = field(default_factory=dict)


Personalize = Callable[..., Ended]
"""Runs `personalize` with arguments and `--json` to its end."""


def personalize(*arguments: str) -> Ended:
    """Run the command of this environment. Raises `UpdateInterruptedError` after a signal, once the command has ended.

    The command is a process group of its own, so that only this process interrupts it, as in `engine/process.py`.
    """
    starting = threading.Lock()
    interrupted = False
    process: subprocess.Popen[str] | None = None

    def run() -> Ended:
        nonlocal process
        with starting:
            if interrupted:
                return Ended(code=ExitCode.INTERRUPTED)
            process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, *arguments, "--json"], stdout=subprocess.PIPE, text=True, process_group=0
            )
        stdout, _ = process.communicate()
        return Ended(code=process.returncode, content=json.loads(stdout) if stdout.strip() else {})

    def interrupt() -> bool:
        nonlocal interrupted
        with starting:
            interrupted = True
            if process is not None:
                process.send_signal(signal.SIGINT)
        return process is not None

    return run_interruptible(run, interrupt, lambda _: None)


def result(run: Personalize, *arguments: str) -> Mapping[str, Any]:
    """The JSON object that a command printed. Raises `CommandFailedError` if it failed."""
    ended = run(*arguments)
    if ended.code != 0:
        raise CommandFailedError(
            f"`.venv/bin/personalize {' '.join(arguments)}` ended with exit code {ended.code}; see above."
        )
    return ended.content


def settings_at(revision: str, stack: str) -> Path | None:
    """A copy of the stack file at a git revision, in `dist`; None if there was none."""
    name = f"Pulumi.{stack}.yaml"
    shown = _git("show", f"{revision}:{name}")
    if shown.returncode != 0:
        return None
    file = ROOT / "dist" / "before" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(shown.stdout, encoding="utf-8")
    return file


def changed_settings(stack: str) -> str:
    """The uncommitted changes of the stack file as a diff; empty without changes."""
    return _git("diff", "--", f"Pulumi.{stack}.yaml").stdout


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - each argument is one of its own
        ["git", *arguments],  # noqa: S607 - git is what brought this file
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
