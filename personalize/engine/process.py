"""The Pulumi CLI as a child that only this process interrupts.

It has its own process group. A terminal sends Ctrl-C to the whole foreground group, so Pulumi would get it twice, from
the terminal and from here, and would stop at once instead of cancelling the step.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

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
    """Runs one command at a time; `interrupt` interrupts it."""

    def __init__(self, executable: Path) -> None:
        """Nothing is run yet."""
        self.executable = executable
        self._process: subprocess.Popen[str] | None = None

    def run(
        self,
        arguments: Sequence[str],
        folder: str,
        variables: Mapping[str, str],
        on_output: OutputCallback | None = None,
        on_error: OutputCallback | None = None,
    ) -> Finished:
        """Run the CLI in `folder` with these environment variables. The callbacks get each line of its output."""
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
        environment = inherited | dict(variables) | {"PULUMI_AUTOMATION_API": "true"}
        # The folder of this interpreter has the project's commands, one of which a kubeconfig names.
        own = [str(self.executable.parent), str(Path(sys.executable).parent)]
        environment["PATH"] = os.pathsep.join([*own, environment.get("PATH", os.defpath)])
        with (
            subprocess.Popen(  # noqa: S603 - the command is the CLI that the set-up chose
                [str(self.executable), "--non-interactive", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=environment,
                encoding="utf-8",
                process_group=0,
            ) as process,
            ThreadPoolExecutor(2) as readers,
        ):
            self._process = process
            stdout = readers.submit(_consume, process.stdout, on_output)
            stderr = readers.submit(_consume, process.stderr, on_error)
            finished = Finished(stdout=stdout.result(), stderr=stderr.result(), code=process.wait())
        self._process = None
        return finished

    def interrupt(self) -> bool:
        """Interrupt the running command. Returns False if none is running."""
        process = self._process
        if process is None or process.poll() is not None:
            return False
        process.send_signal(signal.SIGINT)
        return True


def _consume(stream: IO[str] | None, callback: OutputCallback | None) -> str:
    lines = []
    for line in stream or ():
        lines.append(line.rstrip())
        if callback:
            callback(lines[-1])
    return "\n".join(lines)
