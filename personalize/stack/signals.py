"""Signals while a command runs: Ctrl-C cancels and waits; a second Ctrl-C stops waiting.

SIGTERM and a terminal that closes count as Ctrl-C.
"""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

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

    The exception is lost or becomes another one where C code calls Python, so the signal is also kept in mind: however
    the block fails after one, `UpdateInterruptedError` is raised.
    """

    def on_signal(number: int, _frame: FrameType | None) -> None:
        _pressed.append(number)
        raise KeyboardInterrupt

    try:
        with handling_signals(on_signal):
            yield
    except BaseException as error:
        is_done = isinstance(error, SystemExit) and not error.code
        if not _pressed or is_done or isinstance(error, UpdateInterruptedError):
            raise
        raise UpdateInterruptedError("Interrupted. Run the same command again to continue.") from error
    finally:
        _pressed.clear()
