"""Tracks open connections, and chooses which to close when a limit is reached.

A connection is anonymous (a "stranger") until a valid key has been sent over it. Anonymous connections have their own
limit, so no number of them can close or block a client with a key. When it is reached, a new connection replaces the
oldest idle anonymous one, which leaves a client that has just connected time to send its key.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from scoring.worker.keys import Key

if TYPE_CHECKING:
    from scoring.http.connection import Connection

STRANGERS = 2
"""The limit for clients with a key is this many times that for anonymous connections."""

FEWEST_STRANGERS = 16
"""The limit for anonymous connections is at least this."""

OF_ONE_ADDRESS = 2
"""The limit for anonymous connections is this many times that for those from one address."""

KEEP_ALIVE_SECONDS = 75.0
"""How long a connection with a valid key may be idle; an anonymous one may for `--client-seconds`."""

LINGER_SECONDS = 1.0
"""How long a connection lingers after its last response is sent; closing it at once could lose the response."""

SHUTDOWN_SECONDS = 3.0
"""How long a connection may be idle during shutdown: a client in steady use sends a request in this time."""

THROTTLE_SECONDS = 1.0
"""How long nothing is read from an anonymous connection above the rate limit, so that more requests cost nothing."""


class Clients:
    """The connections to one port of a worker."""

    def __init__(self, most: int) -> None:
        """`most` limits the clients with a key; the limits for anonymous connections follow from it."""
        self._most = most
        self._most_strangers = max(most // STRANGERS, FEWEST_STRANGERS)
        self._most_of_address = self._most_strangers // OF_ONE_ADDRESS
        self._known: dict[Connection, None] = {}
        self._strangers: dict[Connection, None] = {}
        self._of_address: Counter[str] = Counter()

    def __iter__(self) -> Iterator["Connection"]:
        return iter([*self._known, *self._strangers])

    def __len__(self) -> int:
        return len(self._known) + len(self._strangers)

    def let_in(self, client: "Connection") -> bool:
        """Add an anonymous connection, closing another one at the limit. Returns False if none can be closed."""
        crowded = self._of_address[client.address] >= self._most_of_address
        if crowded or len(self._strangers) >= self._most_strangers:
            victim = self._oldest_stranger(client.address if crowded else None)
            if victim is None:
                return False
            self._end(victim)
        self._strangers[client] = None
        self._of_address[client.address] += 1
        return True

    def recognize(self, client: "Connection") -> bool:
        """Count an anonymous connection as a client's, as it has sent a valid key.

        At the limit this closes the client that has been idle for longest. Returns False if none is idle.
        """
        if len(self._known) >= self._most:
            idle = [known for known in self._known if known.idle]
            if not idle:
                return False
            self._end(min(idle, key=lambda known: known.deadline))
        self._forget_stranger(client)
        self._known[client] = None
        return True

    def revoke(self, is_valid: Callable[[Key | None], bool]) -> None:
        """Count the clients whose key is no longer valid as anonymous, and close them."""
        for client in [one for one in self._known if not is_valid(one.key)]:
            del self._known[client]
            self._strangers[client] = None
            self._of_address[client.address] += 1
            client.revoke()

    def drop(self, client: "Connection") -> None:
        """Remove a closed connection."""
        if client in self._known:
            del self._known[client]
        else:
            self._forget_stranger(client)

    def sweep(self, now: float, stood_still: float = 0.0) -> None:
        """Call `expire` of each connection whose deadline has passed, `stood_still` seconds of this process aside."""
        for client in self:
            client.deadline += stood_still
            if client.deadline < now:
                client.expire(now)

    def _oldest_stranger(self, address: str | None) -> "Connection | None":
        """The connection to close first, from `address` if given: the oldest idle one, else one still sending."""
        slow = None
        for client in self._strangers:
            if address is not None and client.address != address:
                continue
            if client.idle:
                return client
            if slow is None and not client.busy:
                slow = client
        return slow

    def _end(self, client: "Connection") -> None:
        self.drop(client)
        client.end()

    def _forget_stranger(self, client: "Connection") -> None:
        if client in self._strangers:
            del self._strangers[client]
            self._of_address[client.address] -= 1
            if not self._of_address[client.address]:
                del self._of_address[client.address]
