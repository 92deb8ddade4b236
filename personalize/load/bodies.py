"""Records for a load test, made up after one example: no two are alike, so that no answer can be remembered."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

RECORDS = 10_000
"""Many more than a service could remember by accident, and few enough to be made in a second."""


def made_up(example: Mapping[str, Any], *, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`RECORDS` records with the fields of `example`: other numbers of about its size, and texts that nobody has seen.

    Values that a model has never seen are the most expensive ones, if there is a difference.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(RECORDS):
        yield {name: _other(value, draw) for name, value in example.items()}


def _other(value: object, draw: random.Random) -> object:
    match value:
        case bool() | None:
            return value
        case int() | float():
            return round(value * draw.expovariate(1.0), 3)
        case _:
            return f"{draw.getrandbits(32):08x}"
