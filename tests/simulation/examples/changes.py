"""Changes to examples, written as paths."""

import copy
from typing import Any


class Removed:
    """Takes a field away instead of setting it."""

    def __repr__(self) -> str:
        """Name it in the ids of tests."""
        return "removed"


REMOVED = Removed()


def changed(inputs: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `inputs` with the field at the dotted `path` (numbers are list indexes) set or taken away."""
    result = copy.deepcopy(inputs)
    *way, last = path.split(".")
    place: Any = result
    for part in way:
        place = place[int(part)] if part.isdigit() else place[part]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return result
