"""Users who asked to be forgotten, as keyed hashes: without the key nobody can find out who is among them.

Key and hashes are one file beside the stored histories: whoever may read it may read those too.
"""

import hmac
import secrets
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import msgspec

from features.errors import PersonalizationError
from features.files import write_private
from features.values import AS_WRITTEN, KeyRule
from recommend.stored import SnapshotError, locked

FILE = "forgotten.json"
_Hex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class OtherKeysError(PersonalizationError):
    """The keys of users are compared by another rule than when somebody was forgotten."""


class Forgotten(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """Who was forgotten, and who then was not any more."""

    key: _Hex
    """The key of all hashes."""
    hashes: tuple[_Hex, ...] = ()
    """Only ever appended to: a user's hash forgets them, and the same hash again undoes it."""
    rule: KeyRule = AS_WRITTEN
    """What was done to keys before they were hashed."""

    @classmethod
    def load(cls, file: Path) -> "Forgotten":
        """The list in a file; nobody if there is none yet. Raises `SnapshotError` if it can't be read."""
        try:
            return cls.decode(file.read_bytes())
        except FileNotFoundError:
            return NOBODY
        except OSError as error:
            raise SnapshotError(f"{file}, the list of forgotten users, cannot be read: {error.strerror}.") from error

    @classmethod
    def decode(cls, content: bytes | None) -> "Forgotten":
        """The list in a file's content; nobody without one. Raises `SnapshotError` if it was altered."""
        try:
            return NOBODY if content is None else msgspec.json.decode(content, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SnapshotError(
                f"{FILE}, the list of forgotten users, was altered: {error}. Restore it, or delete it and repeat "
                "`forget` for each of them."
            ) from error

    def encode(self) -> bytes:
        """A file's content."""
        return msgspec.json.encode(self)

    @property
    def version(self) -> str:
        """How often it was changed."""
        return str(len(self.hashes))

    @cached_property
    def users(self) -> frozenset[str]:
        """The hashes of those who are forgotten now."""
        return frozenset(found for found, times in Counter(self.hashes).items() if times % 2)

    def __contains__(self, user: str) -> bool:
        return bool(self.users) and self.hash_of(user) in self.users

    def hash_of(self, user: str) -> str:
        """The hash of a user on this list. An earlier release did not compose the letters of keys with rules."""
        found = self.rule.of(user)
        earlier = found if self.rule == AS_WRITTEN else unicodedata.normalize("NFD", found)
        is_earlier = earlier != found and _hashed(self.key, earlier) in self.users
        return _hashed(self.key, earlier if is_earlier else found)

    def before(self, version: str) -> Self:
        """The list as it was when it had a `version`."""
        return msgspec.structs.replace(self, hashes=self.hashes[: int(version)])

    def require(self, rule: KeyRule) -> None:
        """Raise `OtherKeysError` if somebody was forgotten by another rule: hashes cannot be made anew."""
        if self.users and rule != self.rule:
            then, now = (msgspec.json.encode(one).decode() for one in (self.rule, rule))
            raise OtherKeysError(
                f"Users were forgotten ({len(self.users):,}) while the dataset config said `keys: {then}` of users. "
                f"Now it says {now}, and hashes of keys cannot be made anew. Restore `keys`, or undo each of them "
                "first with `forget USER --undo`, and forget them again after the change."
            )

    def with_user(self, user: str, rule: KeyRule = AS_WRITTEN) -> Self:
        """This list, with a user among them, whose key is compared by a rule; raises like `require`."""
        self.require(rule)
        return self if user in self else self._with(user, rule)

    def without_user(self, user: str) -> Self:
        """This list, without a user among them."""
        return self._with(user, self.rule) if user in self else self

    def _with(self, user: str, rule: KeyRule) -> Self:
        ready = msgspec.structs.replace(self, key=self.key or secrets.token_hex(32), rule=rule)
        return msgspec.structs.replace(ready, hashes=(*ready.hashes, ready.hash_of(user)))


NOBODY = Forgotten(key="")
"""No list yet: nobody was forgotten."""


def change(file: Path, changed: Callable[[Forgotten], Forgotten]) -> Forgotten:
    """Replace the list in a file by what `changed` makes of it, and return the former one.

    Nobody else changes it meanwhile. Raises `SnapshotError` if it can't be read or written.
    """
    try:
        with locked(file):
            before = Forgotten.load(file)
            after = changed(before)
            if after != before:
                write_private(file, after.encode().decode())
    except OSError as error:
        raise SnapshotError(f"{file}, the list of forgotten users, cannot be written: {error.strerror}.") from error
    return before


def _hashed(key: str, user: str) -> str:
    return hmac.digest(bytes.fromhex(key), user.encode(), "sha256").hex()
