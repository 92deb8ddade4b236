"""The service's processes on this machine: starts them detached from the terminal, reads their state, and ends them.

The service supervises its own workers (`scoring/worker/supervisor.py`).
"""

import errno
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from azure_clients.retries import Context
from features.errors import PersonalizationError
from steps.child import clean_environment
from steps.folders import StackFolder
from steps.serving_settings import ScoringSettings

END_SECONDS = 12.0
"""How long a service may take to end, in addition to its `--drain-seconds`."""
LOG = "scoring.log"
KEYS_OPTION = "--keys-file"
"""The option that every service has."""
DETACHED = 'umask 077; "$@" >/dev/null & echo $!'
"""A shell command that starts the service and exits, so that the machine's first process becomes its parent."""
PAUSE_SECONDS = 0.1
ANSWER_SECONDS = 5.0


class ServiceStartError(PersonalizationError):
    """The service could not be started, or did not become ready."""


class PortInUseError(PersonalizationError):
    """Another program listens on the service's port."""


class ServiceProcesses:
    """The service in a stack's folder, whether it is running or not."""

    def __init__(self, folder: StackFolder) -> None:
        """Use the stack's folder; nothing is started or contacted yet."""
        self._folder = folder

    @property
    def log(self) -> Path:
        """The service's log file."""
        return self._folder.service / LOG

    @property
    def served(self) -> Path:
        """Command and address of the latest service that became ready, as JSON."""
        return self._folder.service / "served"

    def start(self, command: Sequence[str], variables: Mapping[str, str]) -> int:
        """Start a service, which outlives this process and its terminal, and return its process id.

        Raises `ServiceStartError`.
        """
        with self.log.open("ab") as log:
            started = subprocess.run(  # noqa: S603 - the command is the project's own
                ["/bin/sh", "-c", DETACHED, "sh", *command, "--log-file", str(self.log)],
                cwd=self._folder.service,
                env=clean_environment() | dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                text=True,
                check=False,
            )
        if not started.stdout.strip().isdecimal():
            raise ServiceStartError(f"The shell could not start the service. Its log is {self.log}.")
        return int(started.stdout)

    def all(self) -> list[psutil.Process]:
        """Every process of every service in this folder, also of one that was started before the folder was renamed."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def running(self) -> bool:
        """Whether a service runs, with paths that lead to this folder and not to where it was before a move.

        Workers whose supervisor was killed answer until they notice, and are none.
        """
        processes = self.all()
        parents = {_parent(process) for process in processes}
        return any(process.pid in parents for process in processes) and all(
            str(self._folder.keys) in _arguments(process) for process in processes
        )

    def _is_ours(self, process: psutil.Process) -> bool:
        """A service belongs to the folder with the image that it runs in; if that is gone, to that of its keys file."""
        arguments = _arguments(process)
        image = _image(process) if KEYS_OPTION in arguments else None
        return self._folder.images.resolve() == image if image else str(self._folder.keys) in arguments

    def end(self, processes: Sequence[psutil.Process]) -> None:
        """Terminate these processes, which lets clients get their responses; kill those that don't end in time."""
        numbers = {process.pid for process in processes}
        patience = END_SECONDS + max(map(_drain_seconds, processes), default=0.0)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                if process.ppid() not in numbers:  # a supervisor ends its own workers
                    process.terminate()
        _, alive = psutil.wait_procs(processes, timeout=patience)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=END_SECONDS)


@dataclass(frozen=True)
class Probe:
    """Asks a service whether it is ready, each time over a new connection, which may reach a different process."""

    endpoint: str
    key: str

    def version(self) -> str | None:
        """The model version of the process that answers; None if it isn't ready."""
        try:
            return str(self._readiness()["model"]["version"])
        except (KeyError, TypeError):
            return None

    def accepts_key(self) -> bool:
        """Whether the process that answers is ready and accepts the key.

        A request for scores could tell as well, but the metrics would count it like a client's.
        """
        return self._readiness().get("key_accepted") is True

    def _readiness(self) -> dict[str, Any]:
        """The content of `/readyz`; empty if the process that answers isn't ready."""
        import httpx  # noqa: PLC0415 - it takes a third of a second, and only a service that changes is asked

        headers = {"Authorization": f"Bearer {self.key}", "Connection": "close"}
        try:
            # The certificate is the user's own, and may not be valid for the loopback address used here.
            with httpx.Client(timeout=ANSWER_SECONDS, verify=False, trust_env=False) as client:  # noqa: S501 - see above
                answer = client.get(f"{self.endpoint}/readyz", headers=headers)
            found = answer.json() if answer.is_success else {}
        except (httpx.HTTPError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}


def wait_until(holds: Callable[[], bool], *, times: int, seconds: float, context: Context) -> bool:
    """Whether `holds` returned true `times` times in a row within `seconds`; raises `StepCancelledError`."""
    deadline = time.monotonic() + seconds
    row = 0
    while row < times:
        context.raise_if_cancelled()
        row = row + 1 if holds() else 0
        if time.monotonic() > deadline:
            return False
        if row == 0:
            time.sleep(PAUSE_SECONDS)
    return True


def require_port(settings: ScoringSettings, service: ServiceProcesses) -> None:
    """Raise `PortInUseError` if another program listens at the address, or if the address can't be used."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
            trial.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                if any(_listens(process, settings.port) for process in service.all()):
                    return
                reason = f"is in use{_owner(settings.port)}. End that program"
            else:
                reason = f"cannot be used: {error.strerror}. Correct `host`"
            raise PortInUseError(
                f"Port {settings.port} of {settings.host} {reason}, or choose another port in the stack file: "
                f"`personalization:scoring: {{port: {settings.port + 1}}}`."
            ) from error


def _listens(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            for connection in process.net_connections("tcp")
        )
    return False


def _owner(port: int) -> str:
    """The program that listens on the port, as far as this user is allowed to see it; a phrase for an error message."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:] == (port,):
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return " by another program"


def runs(process: int) -> bool:
    """Whether a process has not ended."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _image(process: psutil.Process) -> Path | None:
    """The folder of images that a service runs in: its working directory is `images/<digest>/app`, moved or not."""
    with suppress(psutil.Error):
        folder = Path(process.cwd())
        if folder.name == "app" and folder.is_dir():
            return folder.parents[1]
    return None


def _drain_seconds(process: psutil.Process) -> float:
    arguments: Iterator[str] = iter(_arguments(process))
    return next((float(next(arguments, "0")) for argument in arguments if argument == "--drain-seconds"), 0.0)
