"""What the streams of a training run say: the same in every place."""

import json
from collections.abc import Callable

ERROR = "error: "
"""How the line on standard error begins that says why a run failed."""


def progress_shown(report: Callable[[str], None]) -> Callable[[str], bool]:
    """What shows a line of standard error by `report` when it is progress, and says whether it was."""

    def show(line: str) -> bool:
        try:
            message = json.loads(line)["message"]
        except (ValueError, KeyError, TypeError):
            return False
        report(message)
        return True

    return show


def reason_in(errors: str) -> str | None:
    """Training's own sentence at the end of its standard error; None when it ended without a word."""
    _, marker, sentence = errors.rpartition(ERROR)
    return sentence.strip() if marker else None
