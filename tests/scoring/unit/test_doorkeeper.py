"""Whom the service lets in: keys, their rates, and what a connection's remembered key is worth."""

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from scoring.http.admission import NOBODY, AddressRates, Doorkeeper, Identity
from scoring.http.front import BROWSER
from scoring.request_errors import Rejection
from scoring.worker.keys import Key, KeyRing

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


def doorkeeper(keys: KeyRing) -> Doorkeeper:
    return Doorkeeper(keys, AddressRates(each=1e9, together=1e9), None)


def require(door: Doorkeeper, someone: Someone, authorization: bytes) -> Key:
    """The key of a request that is let in."""
    key = door.require_key(someone, authorization)
    door.admit(someone, key)
    return key


def test_a_browsers_password_is_accepted_only_where_it_may_be_and_never_remembered(keys: KeyRing) -> None:
    door, someone = doorkeeper(keys), Someone()
    with pytest.raises(Rejection, match="valid key"):
        door.require_key(someone, PASSWORD)
    assert door.require_key(someone, PASSWORD, challenge=BROWSER, basic=True).name == "web"
    # A page of somebody else could make the browser send it over the same connection.
    with pytest.raises(Rejection, match="valid key"):
        door.require_key(someone, PASSWORD)


def test_a_removed_key_is_refused_on_an_open_connection(keys: KeyRing, tmp_path: Path) -> None:
    door, someone = doorkeeper(keys), Someone()
    assert door.require_key(someone, BEARER).name == "web"
    (tmp_path / "keys").write_bytes(b"batch=" + OTHER)
    assert keys.refresh()
    with pytest.raises(Rejection, match="valid key"):
        door.require_key(someone, BEARER)


def test_another_key_on_the_same_connection_is_looked_up(keys: KeyRing) -> None:
    door, someone = doorkeeper(keys), Someone()
    door.require_key(someone, BEARER)
    assert door.require_key(someone, b"Bearer " + OTHER).name == "batch"
    with pytest.raises(Rejection, match="valid key"):
        door.require_key(someone, BEARER + b"x")


def test_a_key_counts_for_nothing_where_there_is_no_room(keys: KeyRing) -> None:
    with pytest.raises(Rejection, match="Too many clients"):
        require(doorkeeper(keys), Someone(room=False), BEARER)
