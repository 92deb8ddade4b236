"""How many requests a second a key, an address and all strangers together may send."""

from collections import OrderedDict

MAX_ADDRESSES = 4096
"""Addresses that are remembered; the one that asked least lately is forgotten first."""


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
