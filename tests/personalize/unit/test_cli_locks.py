"""Pulumi's lock on a stack: who holds it, and whether that process is still alive."""

import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from personalize.errors import StackBusyError
from personalize.stack.locks import clear_stale, read_locks


def write_lock(state: Path, *, pid: int, host: str | None = None, since: datetime | None = None) -> Path:
    path = state / ".pulumi" / "locks" / "organization" / "personalization" / "local" / "id.json"
    path.parent.mkdir(parents=True)
    moment = (since or datetime.now(UTC)).isoformat()
    content = {"pid": pid, "username": "ada", "hostname": host or socket.gethostname(), "timestamp": moment}
    path.write_text(json.dumps(content))
    return path


def finished_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_process_that_was_killed_and_that_nobody_waits_for_is_stale(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    write_lock(tmp_path, pid=process.pid)
    assert read_locks(tmp_path)[0].is_stale()
    process.wait()


@pytest.mark.parametrize(("ended", "days"), [(True, 0), (False, 30)], ids=["it is gone", "its id went to another one"])
def test_the_lock_of_a_process_that_is_gone_is_stale(tmp_path: Path, *, ended: bool, days: int) -> None:
    pid = finished_process() if ended else os.getpid()
    write_lock(tmp_path, pid=pid, since=datetime.now(UTC) - timedelta(days=days))
    assert read_locks(tmp_path)[0].is_stale()


def test_the_lock_of_another_machine_is_never_stale(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=finished_process(), host="elsewhere")
    [lock] = read_locks(tmp_path)
    assert not lock.is_stale()
    assert "on elsewhere" in str(lock)


def test_the_way_out_of_a_lock_of_another_machine_ends_no_process_here(tmp_path: Path) -> None:
    path = write_lock(tmp_path / "my state", pid=os.getpid(), host="elsewhere")
    with pytest.raises(StackBusyError) as caught:
        clear_stale(tmp_path / "my state", "local", lambda _: None)
    assert "kill" not in str(caught.value)
    assert f"if this machine had another name then, delete '{path}'; then run this again." in str(caught.value)
    path.unlink()
    clear_stale(tmp_path / "my state", "local", lambda _: None)


def test_a_half_written_lock_is_left_to_the_engine(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=1).write_text("{")
    assert read_locks(tmp_path) == []
