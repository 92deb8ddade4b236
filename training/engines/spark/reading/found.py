"""What the first pass over a dataset's rows counted."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Found:
    """Rows and clicks, and the rows that break a rule."""

    rows: int
    problems: int
    clicks: int
