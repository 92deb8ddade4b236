"""Ctrl-C once cancels and waits, a second time gives up waiting; the same for a terminal that goes away."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from personalize.errors import UpdateInterruptedError

Result = TypeVar("Result")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGNAL_DELAY = 0.2  # seconds until a signal is acted on, at most


def run_interruptible(call: Callable[[], Result], interrupt: Callable[[], bool], say: Callable[[str], None]) -> Result:
    """Run `call` in a thread while this one, the main one, passes signals on to `interrupt`.

    Raises `UpdateInterruptedError` when a signal came and `call` ended with an error; whatever `call` raises otherwise.
    """
    received: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            say("Cancelling: the running step is being stopped. Ctrl-C again gives up at once.")
        else:
            say("Giving up at once.")
        interrupt()

    with _handlers(on_signal), ThreadPoolExecutor(1) as executor:
        try:
            future = executor.submit(call)
            # Not one long wait: a signal that comes just before it begins would be seen only when it ends.
            while not future.done():
                wait([future], timeout=SIGNAL_DELAY)
            return future.result()
        except Exception as error:
            if not received:
                raise
            raise UpdateInterruptedError(
                "Cancelled. What was finished is kept, nothing half-done is registered or served; "
                "run the same command again to carry on."
            ) from error


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
