"""A measured server's processes: started, waited for, kept on a core of its own, weighed and ended."""

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

from benchmarks.serving.peers import Peer
from personalize.load.plan import LoadPlan

START_SECONDS = 240.0
FIRST_PORT = 18_500
FIRST = "-20"
"""The niceness of a session that goes before all others."""


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


def wait(plan: LoadPlan, log: Path) -> float:
    """Seconds until the server answers the request with a score."""
    began = time.monotonic()
    url = f"http://{plan.host}:{plan.port}{plan.path}"
    headers = {"content-type": "application/json", **plan.headers}
    while time.monotonic() - began < START_SECONDS:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.post(url, content=plan.bodies[0], headers=headers, timeout=5, trust_env=False).is_success:
                return time.monotonic() - began
        time.sleep(0.02)
    raise SystemExit(f"{url} did not answer with a score within {START_SECONDS:g} seconds:\n{log.read_text()[-3000:]}")


@contextlib.contextmanager
def apart(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The server on the first core and this process, whose are the clients, on the last: a client that takes the
    server's turn would be seen as the server's delay. So would any other program of the machine, and both go before
    those where the user may say so."""
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
    """MiB of the server's processes, pages that they share counted once."""
    total = 0
    for one in (psutil.Process(process.pid), *_children(process)):
        with contextlib.suppress(psutil.NoSuchProcess):  # what a server starts for a moment
            total += one.memory_full_info().pss
    return round(total / 2**20, 1)


def event_loop(process: subprocess.Popen[bytes]) -> int:
    """The process that answers: of the service, whose first one supervises, the worker."""
    return next((child.pid for child in _children(process)), process.pid)


def core_seconds(process: int) -> dict[str, float]:
    """Of a process's first thread, which is its event loop."""
    computed, waited, _ = Path(f"/proc/{process}/schedstat").read_text().split()
    return {"computed": int(computed) / 1e9, "waited": int(waited) / 1e9}


def free_port() -> int:
    """A port with two more behind it, which one server wants, out of the range that the system gives to clients."""
    for port in range(FIRST_PORT, FIRST_PORT + 1000, 3):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for number in range(port, port + 3):
                held.enter_context(socket.create_server(("127.0.0.1", number)))
            return port
    raise SystemExit(f"no three ports in a row are free from {FIRST_PORT} on; end what listens there")


@contextlib.contextmanager
def _first(process: int) -> Iterator[None]:
    """A process's session before all others, which root alone may ask for: Linux shares a core out among sessions, and
    a niceness counts within one alone (sched(7), autogroup)."""
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
