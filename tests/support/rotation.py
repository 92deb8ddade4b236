"""Which part of a long list a run takes, so that all parts have their turn in a few days."""

import os
import time

DAY_SECONDS = 86_400


def turn() -> int:
    """The number of this run: the variable `ROTATION`, else that of the day since 1970 (UTC)."""
    return int(os.environ.get("ROTATION") or time.time() // DAY_SECONDS)
