"""Runs a command as a person does: in a terminal, answering its question with `y`."""

import os
import pty
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

QUESTION = b"[y/N]: "


def run_in_terminal(script: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a bash script that stops at the first failing command; returns exit code and output."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
    )
    os.close(other_end)
    try:
        printed = _conversation(terminal)
        return process.wait(), printed
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)


def _conversation(terminal: int) -> str:
    """Everything that is printed until the terminal's other end is closed."""
    printed = b""
    while chunk := _read(terminal):
        printed += chunk
        if printed.endswith(QUESTION):
            os.write(terminal, b"y\n")
    return printed.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports that the other end was closed
        return b""
