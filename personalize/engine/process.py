"""The Pulumi CLI as a child that only this process interrupts.

It has its own process group. A terminal sends Ctrl-C to the whole foreground group, so Pulumi would get it twice, from
the terminal and from here, and would stop at once instead of cancelling the step.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from personalize.engine.interruption import CANCELLED, run_interruptible
from personalize.errors import UpdateInterruptedError

FOREIGN_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "PULUMI_CONFIG")
"""Variables of another project, which would override ours."""

OutputCallback = Callable[[str], Any]


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The output and the exit code of a command."""

    stdout: str
    stderr: str
    code: int


class PulumiProcess:
    """Runs one command at a time until a signal or `interrupt`, which interrupts the running command.

    `say` gets messages about the interruption.
    """

    def __init__(self, executable: Path, say: Callable[[str], None] = lambda _: None) -> None:
        """Nothing is run yet."""
        self.executable = executable
        self._say = say
        self._process: subprocess.Popen[str] | None = None
        self._interrupted = False
        self._starting = threading.Lock()

    def run(
        self,
        arguments: Sequence[str],
        folder: str,
        variables: Mapping[str, str],
        on_output: OutputCallback | None = None,
        on_error: OutputCallback | None = None,
    ) -> Finished:
        """Run the CLI in `folder` with these environment variables. The callbacks get each line of its output.

        Raises `UpdateInterruptedError` after an interruption, so that no further command begins.
        """

        def run() -> Finished:
            return self._run(arguments, folder, variables, on_output, on_error)

        if threading.current_thread() is not threading.main_thread():
            return run()
        return run_interruptible(run, self.interrupt, self._say)

    def interrupt(self) -> bool:
        """Interrupt the running command. Returns False if none is running."""
        with self._starting:
            self._interrupted = True
            process = self._process
        if process is None or process.poll() is not None:
            return False
        process.send_signal(signal.SIGINT)
        return True

    def _run(
        self,
        arguments: Sequence[str],
        folder: str,
        variables: Mapping[str, str],
        on_output: OutputCallback | None,
        on_error: OutputCallback | None,
    ) -> Finished:
        with (
            self._started(arguments, folder, variables) as process,
            ThreadPoolExecutor(2) as readers,
        ):
            stdout = readers.submit(_consume, process.stdout, on_output)
            stderr = readers.submit(_consume, process.stderr, on_error)
            finished = Finished(stdout=stdout.result(), stderr=stderr.result(), code=process.wait())
        self._process = None
        return finished

    def _started(self, arguments: Sequence[str], folder: str, variables: Mapping[str, str]) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
        environment = inherited | dict(variables) | {"PULUMI_AUTOMATION_API": "true"}
        # The folder of this interpreter has the project's commands, one of which a kubeconfig names.
        own = [str(self.executable.parent), str(Path(sys.executable).parent)]
        environment["PATH"] = os.pathsep.join([*own, environment.get("PATH", os.defpath)])
        with self._starting:
            if self._interrupted:
                raise UpdateInterruptedError(CANCELLED)
            self._process = subprocess.Popen(  # noqa: S603 - the command is the CLI that the set-up chose
                [str(self.executable), "--non-interactive", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=environment,
                encoding="utf-8",
                process_group=0,
            )
            return self._process


def _consume(stream: IO[str] | None, callback: OutputCallback | None) -> str:
    lines = []
    for line in stream or ():
        lines.append(line.rstrip())
        if callback:
            callback(lines[-1])
    return "\n".join(lines)
