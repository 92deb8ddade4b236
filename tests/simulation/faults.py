"""The log of all calls to the simulated cloud, and the faults that a test orders in advance.

A fault hits one call, which nobody retries; the same call of the next `up` succeeds.
"""

import re
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.world import World


class FaultKind(StrEnum):
    """What happens to the call."""

    REFUSED = "refused"
    """Fails before it did anything."""

    LOST = "lost"
    """Does its work, then answers with an error: the caller doesn't know that the resource exists."""

    SLOW = "slow"
    """Takes longer, and succeeds."""

    THROTTLED = "throttled"
    """429, for HTTP calls only; a retry succeeds."""

    UNAVAILABLE = "unavailable"
    """503, for HTTP calls only."""

    EXPIRED = "expired"
    """401 as if the token had just expired, for HTTP calls only."""


@dataclass(frozen=True)
class LoggedCall:
    """A call that reached the cloud. `outcome` is "ok" or the refusal's code."""

    number: int
    operation: str
    type: str
    id: str
    outcome: str


class Faults:
    """Counts calls and makes the chosen ones fail."""

    def __init__(self, world: World) -> None:
        """Stores the faults in the record's file, where the plugins' processes find them."""
        self._world = world

    def order(self, pattern: str, *, nth: int = 1, kind: FaultKind = FaultKind.REFUSED, seconds: float = 0.0) -> None:
        """Hit the `nth` call from now on whose "operation type id" matches the regular expression `pattern`.

        If several faults match a call, one is used, and the others wait for the next matching calls.
        """
        self._world.database.execute(
            "INSERT INTO faults(pattern, nth, kind, seconds, seen) VALUES (?, ?, ?, ?, 0)",
            (pattern, nth, kind.value, seconds),
        )

    def fail_first(self, pattern: str | None) -> None:
        """From now on, refuse the first attempt of each call that matches `pattern`; None ends it."""
        row = self._world.database.execute("SELECT coalesce(max(number), 0) FROM calls").fetchone()
        self._world.set("fail_first", {"pattern": pattern, "since": row[0]} if pattern else None)

    def clear(self) -> None:
        """Cancel all faults that haven't been used."""
        self._world.database.execute("DELETE FROM faults")

    def pending(self) -> int:
        """How many ordered faults haven't been used."""
        row = self._world.database.execute("SELECT count(*) FROM faults").fetchone()
        return int(row[0])

    def meet(self, operation: str, kind: str, identity: str) -> tuple[FaultKind, float] | None:
        """Count a call, and return the fault that hits it with its seconds, or None. Each fault is used once."""
        hit = (FaultKind.REFUSED, 0.0) if self._is_first(operation, kind, identity) else None
        rows: list[tuple[Any, ...]] = self._world.database.execute(
            "SELECT number, pattern, nth, kind, seconds, seen FROM faults"
        ).fetchall()
        for number, pattern, nth, fault, seconds, seen in rows:
            if not re.search(pattern, f"{operation} {kind} {identity}"):
                continue
            if seen + 1 >= nth and hit is None:
                hit = FaultKind(fault), seconds
                self._world.database.execute("DELETE FROM faults WHERE number = ?", (number,))
            else:
                self._world.database.execute("UPDATE faults SET seen = seen + 1 WHERE number = ?", (number,))
        return hit

    def _is_first(self, operation: str, kind: str, identity: str) -> bool:
        """Whether `fail_first` covers this call and it wasn't made since."""
        first = self._world.setting("fail_first")
        if first is None or not re.search(first["pattern"], f"{operation} {kind} {identity}"):
            return False
        made = self._world.database.execute(
            "SELECT 1 FROM calls WHERE number > ? AND operation = ? AND type = ? AND id = ?",
            (first["since"], operation, kind, identity),
        ).fetchone()
        return made is None

    def log(self, operation: str, kind: str, identity: str, outcome: str) -> None:
        """Log a call."""
        self._world.database.execute(
            "INSERT INTO calls(at, operation, type, id, outcome) VALUES (?, ?, ?, ?, ?)",
            (time.time(), operation, kind, identity, outcome),
        )

    def calls(self, since: int = 0) -> list[LoggedCall]:
        """The calls after number `since`, oldest first."""
        rows = self._world.database.execute(
            "SELECT number, operation, type, id, outcome FROM calls WHERE number > ? ORDER BY number", (since,)
        )
        return [LoggedCall(*row) for row in rows]


def injected(operation: str, kind: str) -> RefusedError:
    """The answer to a call that a fault hits."""
    return RefusedError(409, "InjectedFault", f"The {operation} of {kind} was made to fail finally.")
