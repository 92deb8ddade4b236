"""The bearer keys: several may be valid at a time, so that a new one is handed out before the old one ends.

A key may have a name, by which its use is counted: an old key may go when its count stands still.
"""

import base64
import binascii
import hmac
import re
from pathlib import Path
from typing import NamedTuple

from scoring.errors import KeysError

MAX_KEYS = 16
SHORTEST_KEY = 16
"""Characters of a key at least."""

LINE = re.compile(rb"(?:(?P<name>[A-Za-z0-9_.-]{1,40})=)?(?P<secret>[\x21-\x7e]{%d,})" % SHORTEST_KEY)
"""Of the file: `mobile-app=KEY`, or the key alone."""

Stamp = tuple[int, int, int]


class Key(NamedTuple):
    """A key and what it is called: `key-1` for the first line's, where that gives none."""

    name: str
    secret: bytes


class KeyRing:
    """The keys of a file, one a line."""

    def __init__(self, file: Path) -> None:
        """Read the keys; raises `KeysError` when the file cannot be used."""
        self.generation = 0
        """Another number whenever the keys have changed."""
        self._file = file
        self._stamp = _stamp(file)
        self._keys = self._read()

    @property
    def current(self) -> bytes:
        """The first key."""
        return self._keys[0].secret

    @property
    def names(self) -> list[str]:
        """What the keys are called."""
        return [key.name for key in self._keys]

    def find(self, authorization: bytes, *, basic: bool = False) -> Key | None:
        """The valid key in the value of an `Authorization` header, in a time that tells nothing about it.

        Where `basic` allows it, also as the password that a browser asked its user for.
        """
        scheme, _, given = authorization.partition(b" ")
        scheme = scheme.lower()
        if basic and scheme == b"basic":
            given = _password(given)
        found = None
        for key in self._keys:
            if hmac.compare_digest(given, key.secret):  # every key, also after a match
                found = key
        return found if scheme == b"bearer" or (basic and scheme == b"basic") else None

    def refresh(self) -> bool:
        """Read the file again if it changed and return whether it did.

        Raises `KeysError`, and keeps the keys it has, when the file cannot be used.
        """
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return False
        self._stamp = stamp  # also when reading fails: one complaint per change is enough
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


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
