"""Reads the output streams of a training run, the same on every target."""

import json
from collections.abc import Callable

ERROR = "error: "
"""Prefix of the line on standard error with the reason of a failure."""


def progress_shown(report: Callable[[str], None]) -> Callable[[str], bool]:
    """A function that passes progress lines of standard error to `report`, and returns whether a line was progress."""

    def show(line: str) -> bool:
        try:
            message = json.loads(line)["message"]
        except (ValueError, KeyError, TypeError):
            return False
        report(message)
        return True

    return show


def reason_in(errors: str) -> str | None:
    """Training's error message at the end of its standard error; None if there is none."""
    _, marker, sentence = errors.rpartition(ERROR)
    return sentence.strip() if marker else None
