"""Pulumi's lock of a stack in a state folder: which process holds it, and whether it still runs."""

import json
import shlex
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from personalize.errors import StackBusyError


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock file of the engine."""

    path: Path
    pid: int
    user: str
    host: str
    since: datetime

    def is_stale(self) -> bool:
        """Whether the process ran on this machine and has ended, even if another one has its ID now."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            ended = process.status() == psutil.STATUS_ZOMBIE  # it was killed, and its parent has not read its exit code
            return ended or process.create_time() > self.since.timestamp()
        except psutil.NoSuchProcess:
            return True

    @property
    def way_out(self) -> str:
        """How to get rid of the lock. Its process ID means nothing on another machine."""
        if self.host == socket.gethostname():
            return f"Wait for it to end, or stop it with `kill -INT {self.pid}`"
        return (
            "Wait for it to end. If it has ended, or if this machine had another name then, delete "
            f"{shlex.quote(str(self.path))}"
        )

    def __str__(self) -> str:
        here = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"process {self.pid}{here}, started by {self.user} at {self.since.astimezone(UTC):%H:%M:%S} UTC"


def read_locks(state: Path) -> list[Lock]:
    """The locks in a state folder, without files that disappear or are half-written while they are read."""
    found = []
    for path in sorted((state / ".pulumi" / "locks").rglob("*.json")):
        try:
            content = json.loads(path.read_text())
            since = datetime.fromisoformat(content["timestamp"])
            lock = Lock(path=path, pid=content["pid"], user=content["username"], host=content["hostname"], since=since)
        except (OSError, ValueError, KeyError):
            continue
        found.append(lock)
    return found


def clear_stale(state: Path, stack: str, say: Callable[[str], None]) -> None:
    """Remove the locks of ended processes. Raises `StackBusyError` for a process that still runs."""
    for lock in read_locks(state):
        if not lock.is_stale():
            raise StackBusyError(f"Stack {stack} is being changed by {lock}. {lock.way_out}; then run this again.")
        lock.path.unlink(missing_ok=True)
        say(f"Removed the lock of a process that has ended ({lock}).")
