"""The service's processes on this machine: starts them detached from the terminal, reads their state, and ends them.

The service supervises its own workers (`scoring/worker/supervisor.py`). On a Unix socket it reports their state and
hands over its listening socket (`scoring/worker/handover.py`).
"""

import hashlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from features.errors import PersonalizationError
from steps.shared.child import clean_environment
from steps.shared.folders import StackFolder

ANSWER_SECONDS = 5.0
"""A service that doesn't report its state within this time hangs."""
END_SECONDS = 12.0
"""How long a service may take to end, in addition to its `--drain-seconds`."""
LONGEST_SOCKET_PATH = 103
"""The longest path in bytes on macOS; Linux allows four more."""
BACKLOG = 2048
LOG = "scoring.log"
KEYS_OPTION = "--keys-file"
"""The option that every service has."""
DETACHED = 'umask 077; "$@" >/dev/null & echo $!'
"""A shell command that starts the service and exits, so that the machine's first process becomes its parent."""


class ServiceStartError(PersonalizationError):
    """The service could not be started."""


@dataclass(frozen=True)
class ServiceState:
    """A service's state: of its configured `workers`, `serving` accept connections, and `ready` of those score."""

    process: int
    workers: int
    serving: int
    ready: int


class ServiceProcesses:
    """The service in a stack's folder, whether it is running or not."""

    def __init__(self, folder: StackFolder) -> None:
        """Use the stack's folder; nothing is started or contacted yet."""
        self._folder = folder
        self._current = _socket_folder(folder.service) / "handover"
        self._next = self._current.with_name("handover.next")

    @property
    def log(self) -> Path:
        """The service's log file."""
        return self._folder.service / LOG

    @property
    def served(self) -> Path:
        """Command and address of the latest finished rollout, as JSON."""
        return self._folder.service / "served"

    def state(self) -> ServiceState | None:
        """The service's state; None if there is no service or it hangs."""
        return _state(self._current)

    def next_state(self) -> ServiceState | None:
        """The state of the latest started service, which hasn't taken over yet; None if there is none or it hangs."""
        return _state(self._next)

    def listener(self) -> socket.socket | None:
        """A copy of the listening socket; None if no service responds."""
        asked = _ask(self._current)
        return None if asked is None else asked[1]

    def start(self, command: Sequence[str], variables: Mapping[str, str], listener: socket.socket) -> int:
        """Start another service, which also accepts connections on `listener`, and return its process id.

        The service outlives this process and its terminal. Raises `ServiceStartError`.
        """
        self._next.parent.mkdir(mode=0o700, exist_ok=True)
        own = ["--fd", str(listener.fileno()), "--handover", str(self._next), "--log-file", str(self.log)]
        with self.log.open("ab") as log:
            started = subprocess.run(  # noqa: S603 - the command is the project's own
                ["/bin/sh", "-c", DETACHED, "sh", *command, *own],
                cwd=self._folder.service,
                env=clean_environment() | dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[listener.fileno()],
                start_new_session=True,
                text=True,
                check=False,
            )
        if not started.stdout.strip().isdecimal():
            raise ServiceStartError(f"The shell could not start the service. Its log is {self.log}.")
        return int(started.stdout)

    def take_over(self) -> None:
        """Make the latest started service the current one."""
        self._next.replace(self._current)

    def all(self) -> list[psutil.Process]:
        """Every process of every service in this folder, also of one that was started before the folder was moved.

        Includes supervisord, which ran the service in earlier versions of this project.
        """
        known = {str(self._folder.keys), str(self._folder.service / "supervisord.conf"), *self._former_keys()}
        return [process for process in psutil.process_iter() if self._is_ours(process, known)]

    def moved(self) -> bool:
        """Whether a service runs whose paths lead to where the folder was before."""
        return any(
            KEYS_OPTION in (arguments := _arguments(process)) and str(self._folder.keys) not in arguments
            for process in self.all()
        )

    def _is_ours(self, process: psutil.Process, known: AbstractSet[str]) -> bool:
        """A service belongs to the folder with the image that it runs in; if that is gone, to that of its keys file."""
        arguments = _arguments(process)
        image = _image(process) if KEYS_OPTION in arguments else None
        return self._folder.images.resolve() == image if image else not known.isdisjoint(arguments)

    def _former_keys(self) -> list[str]:
        """The keys file of the latest rollout: another one if the folder was copied, and the original deleted."""
        try:
            command = json.loads(self.served.read_text())
        except (OSError, ValueError):
            return []
        return [value for option, value in pairwise(command) if option == KEYS_OPTION]

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

    def forget(self) -> None:
        """Remove the service's files outside the stack's folder."""
        if self._current.parent != self._folder.service and self._current.parent.is_dir():
            for file in (self._current, self._next):
                file.unlink(missing_ok=True)
            self._current.parent.rmdir()


def runs(process: int) -> bool:
    """Whether a process has not ended."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _state(path: Path) -> ServiceState | None:
    asked = _ask(path)
    if asked is None:
        return None
    state, listener = asked
    listener.close()
    return state


def _ask(path: Path) -> tuple[ServiceState, socket.socket] | None:
    """The state and listening socket that a service reports at its handover socket; None if it doesn't respond."""
    try:
        if path.stat().st_uid != os.getuid():
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(ANSWER_SECONDS)
            asking.connect(str(path))
            message, descriptors, _, _ = socket.recv_fds(asking, 4096, 1)
        listener = socket.socket(fileno=descriptors[0])
    except (OSError, IndexError):
        return None
    listener.set_inheritable(False)
    return ServiceState(**json.loads(message)), listener


def _socket_folder(service: Path) -> Path:
    """The service's folder, or a private temporary one if the path would be too long for a Unix socket."""
    if len(os.fsencode(service / "handover.next")) <= LONGEST_SOCKET_PATH:
        return service
    name = hashlib.sha256(os.fsencode(service)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"personalize-{os.getuid()}-{name}"


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


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
