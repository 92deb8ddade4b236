"""The bearer keys: two may be valid at a time, so that a new one is handed out before the old one ends."""

import hmac
from pathlib import Path

from scoring.errors import KeysError

MAX_KEYS = 2
SHORTEST_KEY = 16
"""Characters of a key at least."""

Stamp = tuple[int, int, int]


class KeyRing:
    """The keys of a file, one a line."""

    def __init__(self, file: Path) -> None:
        """Read the keys; raises `KeysError` when the file cannot be used."""
        self._file = file
        self._stamp = _stamp(file)
        self._keys = self._read()

    @property
    def current(self) -> bytes:
        """The first key."""
        return self._keys[0]

    def accepts(self, authorization: bytes) -> bool:
        """Whether the value of an `Authorization` header holds a valid key, in a time that tells nothing about it."""
        scheme, _, given = authorization.partition(b" ")
        matches = False
        for key in self._keys:
            matches |= hmac.compare_digest(given, key)  # every key, also after a match
        return matches and scheme.lower() == b"bearer"

    def refresh(self) -> bool:
        """Read the file again if it changed and return whether it did.

        Raises `KeysError`, and keeps the keys it has, when the file cannot be used.
        """
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return False
        self._stamp = stamp  # also when reading fails: one complaint per change is enough
        self._keys = self._read()
        return True

    def _read(self) -> tuple[bytes, ...]:
        try:
            keys = tuple(line.strip() for line in self._file.read_bytes().splitlines() if line.strip())
        except OSError as error:
            raise KeysError(f"The keys file {self._file} cannot be read: {error.strerror}. Create it.") from error
        if not 1 <= len(keys) <= MAX_KEYS:
            raise KeysError(f"The keys file {self._file} has {len(keys)} keys. Write one or two, each on its line.")
        if any(len(key) < SHORTEST_KEY or not key.isascii() or b" " in key for key in keys):
            raise KeysError(
                f"A key in {self._file} is shorter than {SHORTEST_KEY} characters or has a character that a header "
                "cannot carry. Write random letters and digits."
            )
        return keys


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
