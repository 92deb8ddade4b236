"""Ctrl-C cancels and waits; a second Ctrl-C stops waiting. A terminal that closes counts as Ctrl-C."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from personalize.errors import UpdateInterruptedError

Result = TypeVar("Result")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGNAL_DELAY = 0.2  # longest delay, in seconds, until a signal is handled


def run_interruptible(call: Callable[[], Result], interrupt: Callable[[], bool], say: Callable[[str], None]) -> Result:
    """Run `call` in a thread while the main thread passes signals on to `interrupt`.

    Raises `UpdateInterruptedError` if `call` failed after a signal, otherwise what `call` raises.
    """
    received: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            say("Cancelling the running step. Press Ctrl-C again to stop at once.")
        else:
            say("Stopping at once.")
        interrupt()

    with _handlers(on_signal), ThreadPoolExecutor(1) as executor:
        try:
            future = executor.submit(call)
            # Short waits: a signal just before one long wait would be handled only at its end.
            while not future.done():
                wait([future], timeout=SIGNAL_DELAY)
            return future.result()
        except Exception as error:
            if not received:
                raise
            raise UpdateInterruptedError(
                "Cancelled. Finished steps are kept, and nothing half-done is registered or served. "
                "Run the same command again to continue."
            ) from error


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
