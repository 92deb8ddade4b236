"""Admits requests: limits on waiting requests and bytes, keys, and the rates of keys and of anonymous requests."""

import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from scoring.request_errors import Refusal, unauthorized
from scoring.worker.keys import Key, KeyRing

if TYPE_CHECKING:
    from scoring.http.connection import Connection

ALWAYS_TAKEN = 4
"""This many requests may always wait, at any pace: one slow request says little about the next."""

MEMORY_SECONDS = 0.5
"""Time constant of the pace's exponential average, in seconds with requests waiting.

It is ten times as long as a typical pause of Java or the machine, which says little about later responses."""

TOO_OFTEN = "Rate limit exceeded for {}; try again later."

MAX_ADDRESSES = 4096
"""The most addresses whose rate is tracked; the least recently used is dropped first."""


class Queue:
    """Counts unanswered complete requests, and measures the pace at which they are answered."""

    def __init__(self, *, maximum: int, seconds: float) -> None:
        """Full with `maximum` requests, or if answering them takes over `seconds` at the pace of recent responses."""
        self.waiting = 0
        self._maximum = maximum
        self._seconds = seconds
        self._busy = self._answers = 0.0
        """Seconds with requests waiting, and responses in that time; both decay exponentially."""
        self._since = 0.0
        """When requests were last answered, or when the first request entered the empty queue, whichever is later."""

    def full(self) -> bool:
        """Whether to refuse one more request."""
        if self.waiting >= self._maximum:
            return True
        return self.waiting >= ALWAYS_TAKEN and self.waiting * self._busy > self._seconds * self._answers

    def enter(self) -> None:
        """Count a request that arrived."""
        if not self.waiting:
            self._since = time.perf_counter()
        self.waiting += 1

    def answer(self, requests: int) -> None:
        """Count requests that were answered together, including those whose client disconnected."""
        if not requests:
            return
        self.waiting -= requests
        now = time.perf_counter()
        busy = now - self._since
        kept = math.exp(-busy / MEMORY_SECONDS)
        self._busy = kept * self._busy + busy
        self._answers = kept * self._answers + requests
        self._since = now


class Room:
    """Limits the bytes of unanswered bodies, complete or not, over all connections of a worker."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def hold(self, size: int) -> bool:
        """Reserve `size` bytes. Returns False, and reserves nothing, if they exceed the limit."""
        if self.held + size > self._most:
            return False
        self.held += size
        return True

    def free(self, size: int) -> None:
        """Release reserved bytes."""
        self.held -= size


class Identity(NamedTuple):
    """A key (None if invalid), the header it came in, and the generation of the keys file that it was looked up in."""

    key: Key | None
    authorization: bytes
    generation: int


NOBODY = Identity(None, b"", -1)


class Rate:
    """A token bucket: `most` requests a second, at least 1, and a burst of as many after a second's pause."""

    __slots__ = ("_at", "_left", "_most")

    def __init__(self, most: float) -> None:
        self._most = max(most, 1.0)
        self._left = self._most
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Take a token, and return whether there was one. `now` is the time of a monotonic clock, in seconds."""
        self._left = min(self._most, self._left + (now - self._at) * self._most)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class AddressRates:
    """A rate limit for each address, and one for all addresses together."""

    def __init__(self, *, each: float, together: float) -> None:
        self._each = each
        self._together = Rate(together)
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    def take(self, address: str, now: float) -> bool:
        """Whether one more request from `address` is within both limits."""
        rate = self._rates.get(address)
        if rate is None:
            rate = self._rates[address] = Rate(self._each)
            if len(self._rates) > MAX_ADDRESSES:
                self._rates.popitem(last=False)
        else:
            self._rates.move_to_end(address)
        return rate.take(now) and self._together.take(now)


class Doorkeeper:
    """Authenticates requests, and applies the rate limits for keys and for anonymous requests."""

    def __init__(self, keys: KeyRing, strangers: AddressRates, key_requests: float | None) -> None:
        """`key_requests` is each key's limit a second, None for no limit."""
        self._keys = keys
        self._strangers = strangers
        self._key_requests = key_requests
        self._rates: dict[str, Rate] = {}

    def require_key(
        self, caller: "Connection", authorization: bytes, *, challenge: bytes = b"Bearer", basic: bool = False
    ) -> Key:
        """The request's key. With `basic`, it may be the password of basic authentication.

        Raises a `Rejection` without a valid key, and above the rate limit for such requests.
        """
        if not basic:
            identity = caller.identity
            if identity.authorization != authorization or identity.generation != self._keys.generation:
                found = self._keys.find(authorization)
                identity = caller.identity = Identity(found, authorization, self._keys.generation)
            key = identity.key
        else:  # not remembered: a page of somebody else could make the browser send it over the same connection
            key = self._keys.find(authorization, basic=True)
        if key is None:
            self.count_stranger(caller)
            raise unauthorized("Send a valid key as `authorization: Bearer KEY`.", challenge=challenge)
        caller.key = key
        return key

    def admit(self, caller: "Connection", key: Key, *, limited: bool = True) -> None:
        """Raise a `Rejection` if there is no room for one more client, and above the key's rate limit.

        Unless `limited`, the request does not count towards that.
        """
        if not (caller.known or caller.recognize()):
            raise Refusal.OVERLOADED("Too many clients are connected; try again later.")
        if limited and self._key_requests is not None:
            rate = self._rates.get(key.name)
            if rate is None:
                rate = self._rates[key.name] = Rate(self._key_requests)
            if not rate.take(time.perf_counter()):
                raise Refusal.TOO_MANY_REQUESTS(TOO_OFTEN.format("this key"))

    def count_stranger(self, caller: "Connection") -> None:
        """Raise a `Rejection` if a request without a key exceeds the rate limit."""
        if not self._strangers.take(caller.address, time.perf_counter()):
            raise Refusal.TOO_MANY_REQUESTS(TOO_OFTEN.format("requests without a key from this address"))
