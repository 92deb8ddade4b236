"""A measured server's processes: started, awaited, pinned to a core, measured and stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from benchmarks.serving.load import Load
from benchmarks.serving.peers import Peer

START_SECONDS = 240.0
FIRST_PORT = 18_500
FIRST = "-20"
"""The niceness of a session with priority over all others."""


@contextlib.contextmanager
def running(peer: Peer) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The server's process and its log."""
    with TemporaryDirectory() as folder, (file := Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(
            peer.command,
            cwd=peer.folder,
            env={**os.environ, **peer.variables},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process, file
        finally:
            family = [psutil.Process(process.pid), *_children(process)]
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            _, alive = psutil.wait_procs(family, timeout=10)
            for one in alive:
                with contextlib.suppress(psutil.Error):
                    one.kill()


def wait(load: Load, log: Path) -> float:
    """The seconds until the server answers a request with a score."""
    began = time.monotonic()
    headers = {"content-type": "application/json", **load.headers}
    while time.monotonic() - began < START_SECONDS:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.post(load.url, content=load.bodies[0], headers=headers, timeout=5, trust_env=False).is_success:
                return time.monotonic() - began
        time.sleep(0.02)
    raise SystemExit(f"{load.url} did not answer within {START_SECONDS:g} seconds:\n{log.read_text()[-3000:]}")


@contextlib.contextmanager
def apart(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pin the server to the first core, and this process with its clients to the last: a client on the server's core
    would look like the server's delay. So would other programs, so both get priority if the user may set it."""
    cores = sorted(os.sched_getaffinity(0))
    _pin(process, cores[:1])
    os.sched_setaffinity(0, cores[-1:])
    try:
        with _first(process.pid), _first(os.getpid()):
            yield
    finally:
        _pin(process, cores)
        os.sched_setaffinity(0, cores)


def memory(process: subprocess.Popen[bytes]) -> float:
    """The memory of the server's processes in MiB, with shared pages counted once."""
    total = 0
    for one in (psutil.Process(process.pid), *_children(process)):
        with contextlib.suppress(psutil.NoSuchProcess):  # a short-lived child
            total += one.memory_full_info().pss
    return round(total / 2**20, 1)


def own_memory(process: int) -> float:
    """The memory in MiB that a process shares with no other one."""
    return float(round(psutil.Process(process).memory_full_info().uss / 2**20, 1))


def event_loop(process: subprocess.Popen[bytes]) -> int:
    """The process that answers: for the service, whose first process supervises, the worker."""
    return next((child.pid for child in _children(process)), process.pid)


def core_seconds(process: int) -> float:
    """Processor time of a process's first thread, its event loop."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def free_port() -> int:
    """A port followed by two more, which one server needs, outside the range of ephemeral ports."""
    for port in range(FIRST_PORT, FIRST_PORT + 1000, 3):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for number in range(port, port + 3):
                held.enter_context(socket.create_server(("127.0.0.1", number)))
            return port
    raise SystemExit(f"no three ports in a row are free from {FIRST_PORT} on; end what listens there")


@contextlib.contextmanager
def _first(process: int) -> Iterator[None]:
    """Give a process's session priority, which only root may do. A process's own niceness wouldn't do: Linux divides a
    core among sessions, and niceness counts only within a session (sched(7), autogroup)."""
    file = Path(f"/proc/{process}/autogroup")
    try:
        before = file.read_text().rsplit(maxsplit=1)[-1]
        file.write_text(FIRST)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it may have ended
            file.write_text(before)


def _pin(process: subprocess.Popen[bytes], cores: list[int]) -> None:
    for one in (psutil.Process(process.pid), *_children(process)):
        for thread in one.threads():
            os.sched_setaffinity(thread.id, cores)


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []
