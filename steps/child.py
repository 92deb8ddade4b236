"""A child process that reports progress, ends on Ctrl-C, and leaves no process behind.

A training run is Python, a JVM and Spark's Python workers. The workers leave the process group but not the session, so
all processes of the session are ended.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from azure_clients.retries import Context

POLL_SECONDS = 0.2
GRACE_SECONDS = 5.0
PROCESS = "process.json"
LAST_LINES = 500
"""Of standard error: an error about a dataset can have a line for each column."""


@dataclass(frozen=True)
class Finished:
    """How a child ended: its exit code, its standard output, and the last lines of its standard error."""

    code: int
    output: str
    error: str


def run_child(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_line: Callable[[str], bool],
    context: Context,
) -> Finished:
    """Run `command` with its log, output and process id in `folder`.

    `on_line` gets each line of standard error and returns whether it was progress; other lines go to the log. After
    Ctrl-C, raises `StepCancelledError` once the child's whole session has ended.
    """
    errors: deque[str] = deque(maxlen=LAST_LINES)
    with (folder / "stdout").open("w+") as output, (folder / "stderr").open("w") as log:
        child = subprocess.Popen(  # noqa: S603 - the command is the project's own
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
            text=True,
        )
        try:
            (folder / PROCESS).write_text(json.dumps({"pid": child.pid, "command": list(command)}))
            with _ended_on_cancel(child.pid, context):
                for line in child.stderr or ():
                    if not on_line(line.rstrip("\n")):
                        log.write(line)
                        errors.append(line.rstrip("\n"))
                child.wait()
        finally:
            end_session(child.pid)
            child.wait()
            (folder / PROCESS).unlink(missing_ok=True)
        context.raise_if_cancelled()
        output.seek(0)
        return Finished(child.returncode, output.read(), "\n".join(errors))


def clean_environment() -> dict[str, str]:
    """This process's environment without the engine's variables for the provider, such as the passphrase."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}


def end_orphan(folder: Path) -> None:
    """End the child of a killed run in `folder`."""
    try:
        left = json.loads((folder / PROCESS).read_text())
    except (OSError, ValueError):
        return
    # The process ID may have been reused by another command; when a process began moves with the machine's clock.
    # A session's ID stays reserved as long as the session exists.
    with suppress(psutil.NoSuchProcess):
        if psutil.Process(left["pid"]).cmdline() != left.get("command"):
            return
    end_session(left["pid"])


def end_session(leader: int) -> None:
    """End every process of the session of `leader`: by SIGTERM, and after a grace period by SIGKILL."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + GRACE_SECONDS
        for process in _session(leader):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(kind)
        while list(_session(leader)) and time.monotonic() < deadline:
            time.sleep(0.05)


def _session(leader: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                yield process


@contextmanager
def _ended_on_cancel(leader: int, context: Context) -> Iterator[None]:
    """During the block, end the session of `leader` on Ctrl-C."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL_SECONDS):
            if context.cancelled.is_set():
                end_session(leader)
                return

    watcher = threading.Thread(target=watch, name="cancellation", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
