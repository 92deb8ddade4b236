"""supervisord for the service's processes: it owns the listening socket and restarts what dies.

The socket outlives each process, so no connection is refused while they are restarted one after the other.
"""

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from jinja2 import Environment, StrictUndefined
from supervisor.xmlrpc import SupervisorTransport

from features.errors import PersonalizationError
from features.files import write_whole
from steps.shared.child import clean_environment

PROGRAM = "scoring"
START_SECONDS = 10.0
STOP_SECONDS = 15.0
LONGEST_SOCKET_PATH = 100
"""Bytes; Linux allows 107 and supervisord appends its process id while it binds."""
BACKLOG = 2048

CONFIGURATION = """\
[unix_http_server]
file = {{ socket }}
chmod = 0700

[supervisord]
logfile = {{ folder }}/supervisord.log
pidfile = {{ folder }}/supervisord.pid
childlogdir = {{ folder }}
umask = 077
silent = true

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[fcgi-program:{{ program }}]
socket = tcp://{{ host }}:{{ port }}
socket_backlog = {{ backlog }}
command = {{ command }}
directory = {{ folder }}
environment = {{ environment }}
numprocs = {{ workers }}
process_name = %(program_name)s_%(process_num)d
autorestart = true
startsecs = 1
startretries = 10
stopsignal = TERM
stopwaitsecs = {{ stop_seconds }}
redirect_stderr = true
stdout_logfile = {{ folder }}/scoring_%(process_num)d.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 2
"""


class SupervisorError(PersonalizationError):
    """supervisord did not start or did not answer."""


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A supervised process: its name, supervisord's word for its state, its process id (0 when it does not run)."""

    name: str
    state: str
    pid: int


class Supervisor:
    """The supervisord of one folder, whether it runs or not."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds its configuration, logs and socket."""
        self._folder = folder
        self._configuration = folder / "supervisord.conf"
        self._socket = socket_path(folder)

    def configure(self, *, host: str, port: int, workers: int, command: list[str], variables: Mapping[str, str]) -> str:
        """The configuration that serves `command` on an address; write it with `write`."""
        template = Environment(autoescape=False, undefined=StrictUndefined).from_string(CONFIGURATION)  # noqa: S701 - no HTML
        environment = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(variables.items()))
        return template.render(
            socket=_escaped(str(self._socket)),
            folder=_escaped(str(self._folder)),
            program=PROGRAM,
            host=host,
            port=port,
            backlog=BACKLOG,
            command=_escaped(shlex.join(command)),
            environment=environment,
            workers=workers,
            stop_seconds=int(STOP_SECONDS),
        )

    def configuration(self) -> str | None:
        """The configuration that was written last."""
        return self._configuration.read_text() if self._configuration.is_file() else None

    def write(self, configuration: str) -> None:
        """Replace the configuration; a running supervisord keeps the one that it started with."""
        write_whole(self._configuration, configuration)

    def runs(self) -> bool:
        """Whether this folder's supervisord answers."""
        try:
            return bool(self._call().getState()["statename"] == "RUNNING")
        except (OSError, xmlrpc.client.Error, SupervisorError):
            return False

    def listens_on(self, host: str, port: int) -> bool:
        """Whether the written configuration is for this address."""
        return f"socket = tcp://{host}:{port}\n" in (self.configuration() or "")

    def start(self) -> None:
        """Start supervisord in the background, where it outlives this process; raises `SupervisorError`."""
        self._socket.parent.mkdir(mode=0o700, exist_ok=True)
        started = subprocess.run(  # noqa: S603 - the environment's own supervisord
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)],
            cwd=self._folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode != 0:
            last = (started.stdout + started.stderr).strip().splitlines()[-1:]
            raise SupervisorError(f"supervisord did not start: {''.join(last)}. Its folder is {self._folder}.")
        deadline = time.monotonic() + START_SECONDS
        while not self.runs():
            if time.monotonic() > deadline:
                raise SupervisorError(f"supervisord does not answer; its log is {self._folder / 'supervisord.log'}.")
            time.sleep(0.05)

    def stop(self) -> None:
        """End supervisord and its processes; succeeds when they are gone already."""
        processes = list(self._processes())
        for process in processes[:1]:
            process.terminate()
        _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS + 1)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=STOP_SECONDS)
        self._socket.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what lies outside the folder."""
        if self._socket.parent != self._folder:
            self._socket.parent.rmdir()

    def workers(self) -> list[Worker]:
        """The supervised processes; raises `SupervisorError` when supervisord does not answer."""
        with _answering(self._folder):
            return [
                Worker(name=f"{found['group']}:{found['name']}", state=found["statename"], pid=found["pid"])
                for found in self._call().getAllProcessInfo()
            ]

    def restart(self, worker: Worker) -> None:
        """Restart one process without waiting until it is ready."""
        with _answering(self._folder):
            if worker.pid:
                self._call().stopProcess(worker.name, True)  # noqa: FBT003 - the protocol has no names
            self._call().startProcess(worker.name, False)  # noqa: FBT003 - the same

    def _call(self) -> Any:  # noqa: ANN401 - XML-RPC has no types
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor

    def _processes(self) -> Iterator[psutil.Process]:
        """supervisord, found by its configuration even when its socket or process id file is gone, and the rest."""
        for process in psutil.process_iter():
            try:
                if str(self._configuration) in process.cmdline():
                    yield process
                    yield from process.children(recursive=True)
            except psutil.Error:
                continue


def socket_path(folder: Path) -> Path:
    """The control socket: in the folder, or in a private temporary one where the folder's path is too long for it."""
    inside = folder / "supervisord.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"personalize-{os.getuid()}-{name}" / "supervisord.sock"


@contextmanager
def _answering(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, xmlrpc.client.Error) as error:
        raise SupervisorError(
            f"supervisord does not do what it is told ({error}); its log is {folder / 'supervisord.log'}."
        ) from error


def _escaped(text: str) -> str:
    """`text` for a configuration file in which % begins an expansion."""
    return text.replace("%", "%%")
