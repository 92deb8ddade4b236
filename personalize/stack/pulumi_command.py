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
from pathlib import Path
from typing import IO, Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from personalize.errors import UpdateInterruptedError
from personalize.stack.signals import CANCELLED, run_interruptible
from tools.versions import PULUMI

FOREIGN_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "PULUMI_CONFIG")
"""Variables of another project, which would override ours."""

OutputCallback = Callable[[str], Any]


class InterruptiblePulumi(PulumiCommand):
    """Runs one command at a time until a signal or `interrupt`, which interrupts the running command.

    `say` gets messages about the interruption.
    """

    def __init__(self, executable: Path, say: Callable[[str], None] = lambda _: None) -> None:
        """Nothing is run yet: the set-up has checked the version; doing it again costs a third of a second."""
        self.command = str(executable)
        self.version = VersionInfo.parse(PULUMI)
        self._say = say
        self._process: subprocess.Popen[str] | None = None
        self._interrupted = False
        self._starting = threading.Lock()

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OutputCallback | None = None,
        on_error: OutputCallback | None = None,
    ) -> CommandResult:
        """As `PulumiCommand.run`; raises its `CommandError`s.

        Raises `UpdateInterruptedError` after an interruption, so that no further command begins.
        """

        def run() -> CommandResult:
            with self._started(args, cwd, additional_env) as process, ThreadPoolExecutor(2) as readers:
                stdout = readers.submit(_consume, process.stdout, on_output)
                stderr = readers.submit(_consume, process.stderr, on_error)
                return CommandResult(stdout=stdout.result(), stderr=stderr.result(), code=process.wait())

        in_main = threading.current_thread() is threading.main_thread()
        result = run_interruptible(run, self.interrupt, self._say) if in_main else run()
        self._process = None
        if result.code != 0:
            raise create_command_error(result)
        return result

    def interrupt(self) -> bool:
        """Interrupt the running command. Returns False if none is running."""
        with self._starting:
            self._interrupted = True
            process = self._process
        if process is None or process.poll() is not None:
            return False
        process.send_signal(signal.SIGINT)
        return True

    def _started(self, arguments: Sequence[str], folder: str, variables: Mapping[str, str]) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
        environment = inherited | dict(variables) | {"PULUMI_AUTOMATION_API": "true"}
        # The folder of this interpreter has the project's commands, one of which a kubeconfig names.
        own = [str(Path(self.command).parent), str(Path(sys.executable).parent)]
        environment["PATH"] = os.pathsep.join([*own, environment.get("PATH", os.defpath)])
        with self._starting:
            if self._interrupted:
                raise UpdateInterruptedError(CANCELLED)
            self._process = subprocess.Popen(  # noqa: S603 - the command is the CLI that the set-up chose
                [self.command, "--non-interactive", *arguments],
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
