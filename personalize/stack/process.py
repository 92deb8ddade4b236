"""The Pulumi CLI as a child that only this process interrupts.

It has its own process group. A terminal sends Ctrl-C to the whole foreground group, so Pulumi would get it twice, from
the terminal and from here, and would stop at once instead of cancelling the step.

Ctrl-C cancels and waits; a second Ctrl-C stops waiting. SIGTERM and a terminal that closes count as Ctrl-C.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any, TypeVar

from personalize.errors import UpdateInterruptedError

Result = TypeVar("Result")
_pressed: list[int] = []
"""The signals that `as_ctrl_c` has received for the command that runs."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGNAL_DELAY = 0.2  # longest delay, in seconds, until a signal is handled
CANCELLED = (
    "Cancelled. Finished steps are kept, and nothing half-done is registered or served. Run the same command again to "
    "continue."
)


def run_interruptible(call: Callable[[], Result], interrupt: Callable[[], bool], say: Callable[[str], None]) -> Result:
    """Run `call` in a thread while the main thread passes signals on to `interrupt`.

    Raises `UpdateInterruptedError` after a signal, even if `call` ended well: Pulumi ends a cancelled deletion with
    exit code 0. Otherwise raises what `call` raises. After an earlier signal of this command nothing is called.
    """
    if _pressed:
        raise UpdateInterruptedError(CANCELLED)
    received: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            say("Cancelling the running step. Press Ctrl-C again to stop at once.")
        else:
            say("Stopping at once.")
        interrupt()

    with handling_signals(on_signal), ThreadPoolExecutor(1) as executor:
        future = executor.submit(call)
        # Short waits: a signal just before one long wait would be handled only at its end.
        while not future.done():
            wait([future], timeout=SIGNAL_DELAY)
    if received:
        raise UpdateInterruptedError(CANCELLED) from future.exception()
    return future.result()


@contextmanager
def handling_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals with `handler` during the block, but a terminal's end only if `nohup` doesn't ignore it.

    A shell lets its background jobs ignore Ctrl-C. That changes nothing here: whoever sends them the signal means it.
    """
    ignores_end = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    taken = [number for number in SIGNALS if number != signal.SIGHUP or not ignores_end]
    before = {number: signal.signal(number, handler) for number in taken}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """Handle the signals during the block as Python handles Ctrl-C, by `KeyboardInterrupt`.

    The exception is lost if it comes in a function that C code calls, so the signal is also kept in mind.
    """

    def on_signal(number: int, _frame: FrameType | None) -> None:
        _pressed.append(number)
        raise KeyboardInterrupt

    try:
        with handling_signals(on_signal):
            yield
    finally:
        _pressed.clear()


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
