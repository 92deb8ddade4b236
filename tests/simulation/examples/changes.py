"""Changes of examples, by dotted paths."""

import copy
from typing import Any


class Removed:
    """Marks a field that is removed."""

    def __repr__(self) -> str:
        """Its name in test ids."""
        return "removed"


REMOVED = Removed()


def changed(inputs: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `inputs` with the field at the dotted `path` (numbers are list indexes) set or removed."""
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
