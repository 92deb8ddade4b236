"""A mutant: the program with one small fault, and the tests that should notice it."""

from collections import Counter
from enum import StrEnum
from pathlib import Path

import msgspec

LISTS = Path(__file__).parent


class MutantError(Exception):
    """A list of mutants can't be used."""


class Mutant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replaces `before` by `after` in `file`, a path relative to the repository; `tests` are pytest's arguments."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def altered(self, content: str) -> str:
        """The file's content with the fault; raises `MutantError` unless `before` occurs exactly once."""
        if (found := content.count(self.before)) != 1:
            raise MutantError(f"{self.name}: {self.file} has {self.before!r} {found} times. Correct the list.")
        return content.replace(self.before, self.after)


class Fate(StrEnum):
    """A mutant's result."""

    KILLED = "killed"
    SURVIVED = "survived"
    NOT_APPLICABLE = "not applicable"
    """Its text isn't in the file."""
    UNTESTED = "untested"
    """Its tests couldn't run or took too long, which proves nothing."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant's result, its time in seconds, the tests that `noticed` it, and the last lines of pytest's output."""

    name: str
    fate: Fate
    seconds: float
    noticed: tuple[str, ...]
    said: str


def listed() -> tuple[Mutant, ...]:
    """All mutants of the lists in this folder; raises `MutantError` if two have the same name."""
    files = sorted(LISTS.glob("*.yaml"))
    mutants = tuple(
        mutant for file in files for mutant in msgspec.yaml.decode(file.read_bytes(), type=tuple[Mutant, ...])
    )
    twice = [name for name, count in Counter(mutant.name for mutant in mutants).items() if count > 1]
    if twice:
        raise MutantError(f"Two mutants are called {', '.join(twice)}. Rename one.")
    return mutants
