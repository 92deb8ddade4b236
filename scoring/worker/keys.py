"""The bearer keys. Several may be valid at once, so that clients can change to a new key before the old one is removed.

Requests are counted by their key's name: once an old key's count stops rising, the key can be removed.
"""

import base64
import binascii
import hmac
import re
from pathlib import Path
from typing import NamedTuple

from features.errors import PersonalizationError
from features.files import stamp

MAX_KEYS = 16
SHORTEST_KEY = 16
"""The minimum length of a key, in characters."""

LINE = re.compile(rb"(?:(?P<name>[A-Za-z0-9_.-]{1,40})=)?(?P<secret>[\x21-\x7e]{%d,})" % SHORTEST_KEY)
"""A line of the file: `mobile-app=KEY`, or the key alone."""


class KeysError(PersonalizationError):
    """The keys file cannot be used."""


class Key(NamedTuple):
    """A key and its name. A key without a name is called by its line: `key-1` in the first."""

    name: str
    secret: bytes


class KeyRing:
    """The keys in a file, one per line."""

    def __init__(self, file: Path) -> None:
        """Read the keys; raises `KeysError` if the file can't be used."""
        self.generation = 0
        """Increases whenever the keys change."""
        self._file = file
        self._stamp = stamp(file)
        self._keys = self._read()

    @property
    def names(self) -> list[str]:
        """The keys' names."""
        return [key.name for key in self._keys]

    def holds(self, key: Key | None) -> bool:
        """Whether a key that was found earlier is still valid, perhaps by another name."""
        return key is not None and any(key.secret == one.secret for one in self._keys)

    def find(self, authorization: bytes, *, basic: bool = False) -> Key | None:
        """The valid key in an `Authorization` header's value, compared in constant time; None if there is none.

        With `basic`, a key is also accepted as the password of basic authentication, which browsers prompt for.
        """
        scheme, _, given = authorization.strip().partition(b" ")
        scheme, given = scheme.lower(), given.strip()
        if basic and scheme == b"basic":
            given = _password(given)
        found = None
        for key in self._keys:
            if hmac.compare_digest(given, key.secret):  # no early exit: its time would leak which key matched
                found = key
        return found if scheme == b"bearer" or (basic and scheme == b"basic") else None

    def refresh(self) -> bool:
        """Read the file again if it changed, and return whether it did.

        If the file can't be used, raises `KeysError` and keeps the current keys.
        """
        found = stamp(self._file)
        if found == self._stamp:
            return False
        self._stamp = found  # set even if reading fails, so that each change is reported once
        self._keys = self._read()
        self.generation += 1
        return True

    def _read(self) -> tuple[Key, ...]:
        try:
            lines = [line.strip() for line in self._file.read_bytes().splitlines() if line.strip()]
        except OSError as error:
            raise KeysError(f"The keys file {self._file} cannot be read: {error.strerror}. Create it.") from error
        if not 1 <= len(lines) <= MAX_KEYS:
            raise KeysError(
                f"The keys file {self._file} has {len(lines)} keys. Write one to {MAX_KEYS}, each on its line."
            )
        keys = []
        for number, line in enumerate(lines, start=1):
            match = LINE.fullmatch(line)
            if match is None:
                raise KeysError(
                    f"A key in {self._file} is shorter than {SHORTEST_KEY} characters or has a character that a header "
                    "cannot carry. Write random letters and digits, behind `NAME=` where it shall have a name."
                )
            keys.append(Key((match["name"] or b"key-%d" % number).decode(), match["secret"]))
        if len({key.name for key in keys}) < len(keys):
            raise KeysError(f"Two keys in {self._file} have the same name. Give each its own.")
        return tuple(keys)


def _password(encoded: bytes) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
