"""Pulumi's lock of a stack in a state folder: who holds it, and whether that process is still there."""

import json
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil


@dataclass(frozen=True, kw_only=True)
class Lock:
    """One lock file, as the engine writes it."""

    path: Path
    pid: int
    user: str
    host: str
    since: datetime

    def is_stale(self) -> bool:
        """True when the process ran on this machine and is gone, whoever has its id now."""
        if self.host != socket.gethostname():
            return False
        try:
            started = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        return started > self.since.timestamp()

    def __str__(self) -> str:
        here = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"process {self.pid}{here}, started by {self.user} at {self.since.astimezone():%H:%M:%S}"


def read_locks(state: Path) -> list[Lock]:
    """The locks below a state folder; a file that disappears or is half-written while it is read is left out."""
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
