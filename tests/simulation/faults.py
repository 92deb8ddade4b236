"""The log of all calls to the simulated cloud, and the faults that a test orders in advance.

A fault hits one call, which nobody retries; the same call of the next `up` succeeds.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.simulation.world import RefusedError, World


class FaultKind(StrEnum):
    """What happens to the call: it takes longer and succeeds, or, for HTTP calls only, it is answered with 409, 429
    (which a retry overcomes), 503, or 401 as if the token had just expired."""

    SLOW = "slow"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    EXPIRED = "expired"


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

    def clear(self) -> None:
        """Cancel all faults that haven't been used."""
        self._world.database.execute("DELETE FROM faults")

    def pending(self) -> int:
        """How many ordered faults haven't been used."""
        row = self._world.database.execute("SELECT count(*) FROM faults").fetchone()
        return int(row[0])

    def meet(self, operation: str, kind: str, identity: str) -> tuple[FaultKind, float] | None:
        """Count a call, and return the fault that hits it with its seconds, or None. Each fault is used once."""
        hit = None
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

    @contextmanager
    def logged(self, operation: str, kind: str, identity: str) -> Iterator[float]:
        """Log a call with its outcome. Gives the seconds that it takes longer, because a fault hit it."""
        hit = self.meet(operation, kind, identity)
        try:
            yield hit[1] if hit else 0.0
        except RefusedError as error:
            self.log(operation, kind, identity, error.code)
            raise
        self.log(operation, kind, identity, "ok")

    def log(self, operation: str, kind: str, identity: str, outcome: str) -> None:
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
