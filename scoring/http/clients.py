"""Who is connected, and who has to go when there is no room: a stranger before a client, an idle one before a busy one.

A connection is a stranger's until a valid key was sent over it. Strangers have room of their own, so that however many
come, no client that showed a key is closed or refused for their sake; and as the oldest idle stranger goes for the
newest, a client that has just connected has the time to show its key.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

STRANGERS = 2
"""Strangers have half of the room that clients with a key have,"""

FEWEST_STRANGERS = 16
"""but so many at least,"""

OF_ONE_ADDRESS = 2
"""and one address half of that before its own go first."""

KEEP_ALIVE_SECONDS = 75.0
"""How long a connection over which a key was sent may be idle; a stranger's has `--client-seconds`."""

LINGER_SECONDS = 1.0
"""How long a client that is sent away is still listened to: ending at once would take the last answer from it."""

SHUTDOWN_SECONDS = 3.0
"""A client in steady use of its connection sends something within this time, when the service is about to end."""

THROTTLE_SECONDS = 1.0
"""How long a stranger that asks too often is not read from: what it sends meanwhile costs nothing."""


class Client(Protocol):
    """A connection, from before its TLS handshake."""

    address: str
    deadline: float
    """When its time is up, by `time.perf_counter`."""

    @property
    def idle(self) -> bool:
        """Whether it has begun no request that has no answer."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a whole request of it is being answered."""
        ...

    def farewell(self) -> None:
        """Let its next answer be the last."""
        ...

    def end(self) -> None:
        """Close it at once."""
        ...

    def expire(self, now: float) -> None:
        """Do what is due at its deadline, which is over."""
        ...


class Clients:
    """The connections of a worker at one of its ports."""

    def __init__(self, most: int) -> None:
        """At `most` so many with a key."""
        self._most = most
        self._most_strangers = max(most // STRANGERS, FEWEST_STRANGERS)
        self._most_of_address = self._most_strangers // OF_ONE_ADDRESS
        self._known: dict[Client, None] = {}
        self._strangers: dict[Client, None] = {}
        self._of_address: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Client]:
        return iter([*self._known, *self._strangers])

    def __len__(self) -> int:
        return len(self._known) + len(self._strangers)

    def let_in(self, client: Client) -> bool:
        """Take a new connection as a stranger's, where there are too many in place of another; whether it may stay."""
        crowded = self._of_address[client.address] >= self._most_of_address
        if crowded or len(self._strangers) >= self._most_strangers:
            victim = self._oldest_stranger(client.address if crowded else None)
            if victim is None:
                return False
            self._end(victim)
        self._strangers[client] = None
        self._of_address[client.address] += 1
        return True

    def recognize(self, client: Client) -> bool:
        """Take a stranger for a client, as it has shown a key; whether there is room for it."""
        if len(self._known) >= self._most:
            idle = [known for known in self._known if known.idle]
            if not idle:
                return False
            self._end(min(idle, key=lambda known: known.deadline))
        self._forget_stranger(client)
        self._known[client] = None
        return True

    def drop(self, client: Client) -> None:
        """Forget a connection that ended."""
        if client in self._known:
            del self._known[client]
        else:
            self._forget_stranger(client)

    def sweep(self, now: float) -> None:
        """Let all whose deadline is over do what is due."""
        for client in self:
            if client.deadline < now:
                client.expire(now)

    def _oldest_stranger(self, address: str | None) -> Client | None:
        """The first to go, of `address` if one is given: an idle one, else one whose request has not arrived yet."""
        slow = None
        for client in self._strangers:
            if address is not None and client.address != address:
                continue
            if client.idle:
                return client
            if slow is None and not client.busy:
                slow = client
        return slow

    def _end(self, client: Client) -> None:
        self.drop(client)
        client.end()

    def _forget_stranger(self, client: Client) -> None:
        if client in self._strangers:
            del self._strangers[client]
            self._of_address[client.address] -= 1
            if not self._of_address[client.address]:
                del self._of_address[client.address]
