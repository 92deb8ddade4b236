"""Keeps the worker processes alive: uvicorn's supervisor, with replacements that are there in a fraction of a second.

uvicorn looks twice a second and starts an empty Python. Here a process that has imported the service already, and does
nothing else, is forked into each worker.
"""

import multiprocessing
import sys
import tempfile
import time
from multiprocessing.util import Finalize
from socket import socket
from typing import cast

from uvicorn._subprocess import subprocess_started
from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from scoring.scratch import ScratchFolder

LOOK_SECONDS = 0.05
PING_SECONDS = 1.0
"""How often each worker is asked for a sign of life, which one that hangs owes."""

LONGEST_PLACE = 40
"""Characters of a folder in which a socket can have its place: its whole path may have 107."""

AFTER_MULTIPROCESSING = -200
"""Ends a folder in which multiprocessing has one of its own, which it removes at the process's end, with -100."""

_context = multiprocessing.get_context("forkserver")


class Worker(Process):
    """A worker process, forked from one that has the service's modules."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        try:
            stdin = sys.stdin.fileno()
        except (AttributeError, OSError):
            stdin = None
        arguments = {"config": config, "target": self.target, "sockets": sockets, "stdin_fileno": stdin}
        forked = _context.Process(target=subprocess_started, kwargs=arguments)
        self.process = cast("multiprocessing.context.SpawnProcess", forked)


class Supervisor(Multiprocess):
    """Starts the workers, replaces those that end, and ends them all when a signal asks for it."""

    exit_code = 0
    """1 when a worker could not start at all."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._pinged = time.monotonic()
        _context.set_forkserver_preload(["scoring.server"])

    def run(self) -> None:
        """Supervise until a signal ends it, or a worker cannot start."""
        default = tempfile.gettempdir()
        folder = ScratchFolder("scoring-workers", within=default if len(default) < LONGEST_PLACE else "/tmp")  # noqa: S108 - made safely
        Finalize(None, folder.remove, exitpriority=AFTER_MULTIPROCESSING)
        tempfile.tempdir = str(folder.path)  # where the process that is forked has its socket
        try:
            self._supervise()
        finally:
            tempfile.tempdir = default

    def _supervise(self) -> None:
        self.processes = [self._start() for _ in range(self.processes_num)]
        while not self.should_exit.wait(LOOK_SECONDS):
            self.handle_signals()
            self.keep_subprocess_alive()
        self.terminate_all()
        self.join_all()
        self.exit_code = int(any(process.exitcode == STARTUP_FAILURE for process in self.processes))

    def keep_subprocess_alive(self) -> None:
        """Replace workers that ended or hang; one that cannot start ends the service, as another could not either."""
        ping = time.monotonic() - self._pinged > PING_SECONDS
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if worker.process.is_alive() and not (ping and self._hangs(worker)):
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            self.processes[place] = self._start()
        if ping:
            self._pinged = time.monotonic()

    def _hangs(self, worker: Process) -> bool:
        return not worker.ping(self.config.timeout_worker_healthcheck)

    def _start(self) -> Process:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker
