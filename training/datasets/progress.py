"""How the data steps say how far they are."""

from typing import Protocol

STAGE = "data"
"""The stage that the data steps report under."""


class Reporter(Protocol):
    """Takes a stage, a detail that is ready to show, and how much is done of the whole, in the step's own unit.

    `training.progress.Progress` is one.
    """

    def __call__(self, stage: str, detail: str, *, done: int | None = None, total: int | None = None) -> None:
        """Show the detail."""


def silent(stage: str, detail: str, *, done: int | None = None, total: int | None = None) -> None:
    """A reporter that shows nothing."""
