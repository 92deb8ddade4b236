"""Users who asked to be forgotten, as keyed hashes: without the key nobody can find out who is among them."""

import hmac
import secrets
from pathlib import Path
from typing import Self

import msgspec

from features.files import write_private
from recommend.stored import SnapshotError

FILE = "forgotten.json"


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """The key, 64 hexadecimal digits, and the hashes of users' IDs under it."""

    key: str = ""
    hashes: frozenset[str] = frozenset()

    @classmethod
    def load(cls, file: Path) -> Self:
        """The users in a file, nobody without one. Raises `SnapshotError` if it was altered."""
        return cls.decode(file.read_bytes() if file.exists() else None)

    @classmethod
    def decode(cls, content: bytes | None) -> Self:
        """The users in a file's content, nobody without one. Raises `SnapshotError` if it was altered."""
        try:
            return cls() if content is None else msgspec.json.decode(content, type=cls)
        except msgspec.DecodeError as error:
            raise SnapshotError(f"{FILE}, the list of forgotten users, was altered: {error}. Restore it.") from error

    def save(self, file: Path) -> None:
        """Write them to a file that only its owner can read."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, self.encode().decode())

    def encode(self) -> bytes:
        """A file's content."""
        return msgspec.json.encode(self, order="sorted")

    def __contains__(self, user: str) -> bool:
        return bool(self.hashes) and _hashed(self.key, user) in self.hashes

    def with_user(self, user: str) -> "Forgotten":
        """These users and one more."""
        key = self.key or secrets.token_hex(32)
        return Forgotten(key=key, hashes=self.hashes | {_hashed(key, user)})

    def without_user(self, user: str) -> "Forgotten":
        """These users but one."""
        return Forgotten(key=self.key, hashes=self.hashes - {_hashed(self.key, user)})


def _hashed(key: str, user: str) -> str:
    return hmac.digest(bytes.fromhex(key), user.encode(), "sha256").hex()
