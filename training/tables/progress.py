"""Progress reports of the data steps."""

from typing import Protocol

STAGE = "data"
"""The stage name in the reports."""


class Reporter(Protocol):
    """Takes a stage, a text to show, and the progress in the step's own unit.

    `training.progress.Progress` is one.
    """

    def __call__(self, stage: str, detail: str, *, done: int | None = None, total: int | None = None) -> None:
        """Show the report."""


def silent(stage: str, detail: str, *, done: int | None = None, total: int | None = None) -> None:
    """A reporter that shows nothing."""
