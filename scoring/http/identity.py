"""Whose requests a connection carries: its key, looked up again only when another one is sent or the keys change."""

import time
from collections import OrderedDict
from typing import NamedTuple, Protocol

from scoring.request_errors import Overloaded, TooManyRequests, Unauthorized
from scoring.worker.keys import Key, KeyRing

TOO_OFTEN = "More requests a second than {} may send; try again later."

MAX_ADDRESSES = 4096
"""Addresses that are remembered; the one that asked least lately is forgotten first."""


class Identity(NamedTuple):
    """A key, the header that held it, and the state of the keys file in which that was so."""

    key: Key | None
    authorization: bytes
    generation: int


NOBODY = Identity(None, b"", -1)


class Caller(Protocol):
    """A connection."""

    address: str
    inside: bool
    known: bool
    identity: Identity

    def recognize(self) -> bool:
        """Treat it as a client's from now on; whether there is room for one more."""
        ...


class Rate:
    """So many a second, and as many at once after a second's pause."""

    __slots__ = ("_at", "_left", "_most")

    def __init__(self, most: float) -> None:
        self._most = max(most, 1.0)
        self._left = self._most
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is within the rate at `now`, in seconds of any clock that only goes forward."""
        self._left = min(self._most, self._left + (now - self._at) * self._most)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class AddressRates:
    """A rate for each address, and one for all of them together."""

    def __init__(self, *, each: float, together: float) -> None:
        self._each = each
        self._together = Rate(together)
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    def take(self, address: str, now: float) -> bool:
        """Whether one more request from `address` is within its rate and everybody's."""
        rate = self._rates.get(address)
        if rate is None:
            rate = self._rates[address] = Rate(self._each)
            if len(self._rates) > MAX_ADDRESSES:
                self._rates.popitem(last=False)
        else:
            self._rates.move_to_end(address)
        return rate.take(now) and self._together.take(now)


class Doorkeeper:
    """Tells clients from strangers, and both how often they may ask."""

    def __init__(self, keys: KeyRing, strangers: AddressRates, key_requests: float | None) -> None:
        """With `key_requests`, each key may send so many a second."""
        self._keys = keys
        self._strangers = strangers
        self._key_requests = key_requests
        self._rates: dict[str, Rate] = {}

    def require_key(self, caller: Caller, authorization: bytes, *, challenge: bytes = b"Bearer") -> Key:
        """The key that was sent; raises `Unauthorized`, `TooManyRequests`, or `Overloaded` when there is no room."""
        identity = caller.identity
        if identity.authorization != authorization or identity.generation != self._keys.generation:
            found = self._keys.find(authorization, basic=challenge != b"Bearer")
            identity = caller.identity = Identity(found, authorization, self._keys.generation)
        key = identity.key
        if key is None:
            self.count_stranger(caller)
            raise Unauthorized("Send a valid key as `authorization: Bearer KEY`.", challenge=challenge)
        if not (caller.known or caller.recognize()):
            raise Overloaded("More clients are connected than the service has room for; try again later.")
        if self._key_requests is not None:
            rate = self._rates.get(key.name)
            if rate is None:
                rate = self._rates[key.name] = Rate(self._key_requests)
            if not rate.take(time.perf_counter()):
                raise TooManyRequests(TOO_OFTEN.format("this key"))
        return key

    def count_stranger(self, caller: Caller) -> None:
        """Raise `TooManyRequests` when a request without a key comes too soon after others."""
        if not self._strangers.take(caller.address, time.perf_counter()):
            raise TooManyRequests(TOO_OFTEN.format("an address without a key"))
