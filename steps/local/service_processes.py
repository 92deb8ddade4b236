"""The service's processes on this machine: starts them detached from the terminal, reads their state, and ends them.

The service supervises its own workers (`scoring/worker/supervisor.py`).
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil

from features.errors import PersonalizationError
from steps.shared.child import clean_environment
from steps.shared.folders import StackFolder

END_SECONDS = 12.0
"""How long a service may take to end, in addition to its `--drain-seconds`."""
LOG = "scoring.log"
KEYS_OPTION = "--keys-file"
"""The option that every service has."""
DETACHED = 'umask 077; "$@" >/dev/null & echo $!'
"""A shell command that starts the service and exits, so that the machine's first process becomes its parent."""


class ServiceStartError(PersonalizationError):
    """The service could not be started, or did not become ready."""


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
        """Every process of every service in this folder, also of one that was started before the folder was moved."""
        known = {str(self._folder.keys), *self._former_keys()}
        return [process for process in psutil.process_iter() if self._is_ours(process, known)]

    def running(self) -> bool:
        """Whether a service runs, with paths that lead to this folder and not to where it was before a move.

        Workers whose supervisor was killed answer until they notice, and are none.
        """
        processes = self.all()
        parents = {_parent(process) for process in processes}
        return any(process.pid in parents for process in processes) and all(
            str(self._folder.keys) in _arguments(process) for process in processes
        )

    def _is_ours(self, process: psutil.Process, known: AbstractSet[str]) -> bool:
        """A service belongs to the folder with the image that it runs in; if that is gone, to that of its keys file."""
        arguments = _arguments(process)
        image = _image(process) if KEYS_OPTION in arguments else None
        return self._folder.images.resolve() == image if image else not known.isdisjoint(arguments)

    def _former_keys(self) -> list[str]:
        """The keys file of the latest service: another one if the folder was copied, and the original deleted."""
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
