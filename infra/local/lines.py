"""A text stream whose lines are shown as a step's progress, and that stops the writer once the user interrupts."""

import io

from infra.provider.step import Context


class Lines(io.TextIOBase):
    """Each line that is written becomes one report."""

    def __init__(self, context: Context) -> None:
        """Report to `context`."""
        self._context = context
        self._rest = ""

    def write(self, text: str) -> int:
        """Report every complete line; raises `StepCancelledError` after an interruption."""
        self._context.raise_if_cancelled()
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._context.report(line)
        return len(text)
