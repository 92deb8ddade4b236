"""Whom the service lets in: keys, their rates, and what a connection's remembered key is worth."""

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from scoring.http import identity
from scoring.http.front import BROWSER
from scoring.http.identity import NOBODY, AddressRates, Doorkeeper, Identity
from scoring.request_errors import Overloaded, TooManyRequests, Unauthorized
from scoring.worker.keys import Key, KeyRing
from tests.support.clock import Clock

KEY, OTHER = b"0123456789abcdef", b"fedcba9876543210"
BEARER = b"Bearer " + KEY
PASSWORD = b"Basic " + base64.b64encode(b"anybody:" + KEY)


@dataclass
class Someone:
    """A connection; `room` is whether one more client with a key finds a place."""

    room: bool = True
    address: str = "10.0.0.1"
    inside: bool = False
    known: bool = False
    key: Key | None = None
    identity: Identity = NOBODY

    def recognize(self) -> bool:
        """Take a place."""
        self.known = self.room
        return self.room


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    file = tmp_path / "keys"
    file.write_bytes(b"web=" + KEY + b"\nbatch=" + OTHER + b"\n")
    return KeyRing(file)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the rates."""
    made = Clock(now=1.0)
    monkeypatch.setattr(identity, "time", made)
    return made


def doorkeeper(keys: KeyRing, *, strangers: float = 1e9, key_requests: float | None = None) -> Doorkeeper:
    return Doorkeeper(keys, AddressRates(each=strangers, together=1e9), key_requests)


def require(door: Doorkeeper, someone: Someone, authorization: bytes) -> Key:
    """The key of a request that is let in."""
    key = door.require_key(someone, authorization)
    door.admit(someone, key)
    return key


def test_a_browsers_password_is_accepted_only_where_it_may_be_and_never_remembered(keys: KeyRing) -> None:
    door, someone = doorkeeper(keys), Someone()
    with pytest.raises(Unauthorized):
        door.require_key(someone, PASSWORD)
    assert door.require_key(someone, PASSWORD, challenge=BROWSER, basic=True).name == "web"
    with pytest.raises(Unauthorized):  # a page of somebody else could make the browser send it over the same connection
        door.require_key(someone, PASSWORD)


def test_a_removed_key_is_refused_on_an_open_connection(keys: KeyRing, tmp_path: Path) -> None:
    door, someone = doorkeeper(keys), Someone()
    assert door.require_key(someone, BEARER).name == "web"
    (tmp_path / "keys").write_bytes(b"batch=" + OTHER)
    assert keys.refresh()
    with pytest.raises(Unauthorized):
        door.require_key(someone, BEARER)


def test_another_key_on_the_same_connection_is_looked_up(keys: KeyRing) -> None:
    door, someone = doorkeeper(keys), Someone()
    door.require_key(someone, BEARER)
    assert door.require_key(someone, b"Bearer " + OTHER).name == "batch"
    with pytest.raises(Unauthorized):
        door.require_key(someone, BEARER + b"x")


def test_each_key_has_a_rate_whatever_the_connection(keys: KeyRing, clock: Clock) -> None:
    door = doorkeeper(keys, key_requests=2.0)
    for _ in range(2):
        require(door, Someone(), BEARER)
    with pytest.raises(TooManyRequests, match="this key"):
        require(door, Someone(), BEARER)
    assert require(door, Someone(), b"Bearer " + OTHER).name == "batch"
    clock.now += 0.5  # at two a second, time for one
    assert require(door, Someone(), BEARER).name == "web"
    with pytest.raises(TooManyRequests, match="this key"):
        require(door, Someone(), BEARER)


def test_a_key_counts_for_nothing_where_there_is_no_room(keys: KeyRing) -> None:
    with pytest.raises(Overloaded):
        require(doorkeeper(keys), Someone(room=False), BEARER)


@pytest.mark.usefixtures("clock")
def test_wrong_keys_count_as_requests_without_a_key(keys: KeyRing) -> None:
    door, someone = doorkeeper(keys, strangers=1.0), Someone()
    with pytest.raises(Unauthorized):
        door.require_key(someone, b"Bearer wrong")
    with pytest.raises(TooManyRequests):
        door.require_key(someone, b"Bearer wrong")
