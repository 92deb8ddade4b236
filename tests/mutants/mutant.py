"""A mutant: the program with one small fault in it, and the tests that are to notice."""

from collections import Counter
from enum import StrEnum
from pathlib import Path

import msgspec

LISTS = Path(__file__).parent


class MutantError(Exception):
    """A list of mutants that cannot be used."""


class Mutant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`before` is `after` in `file`, a path from the repository's folder; `tests` are what pytest is given."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def altered(self, content: str) -> str:
        """The file's content with the fault; raises `MutantError` where `before` does not occur exactly once."""
        if (found := content.count(self.before)) != 1:
            raise MutantError(f"{self.name}: {self.file} has {self.before!r} {found} times. Correct the list.")
        return content.replace(self.before, self.after)


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    NOT_APPLICABLE = "not applicable"
    """Its text is not in the file."""
    UNTESTED = "untested"
    """Its tests could not be run, or not to their end in time: that proves nothing."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mutant, after how long, and the last lines of what pytest said."""

    name: str
    fate: Fate
    seconds: float
    said: str


def listed() -> tuple[Mutant, ...]:
    """All mutants of the lists beside this file; raises `MutantError` for two of the same name."""
    files = sorted(LISTS.glob("*.yaml"))
    mutants = tuple(
        mutant for file in files for mutant in msgspec.yaml.decode(file.read_bytes(), type=tuple[Mutant, ...])
    )
    twice = [name for name, count in Counter(mutant.name for mutant in mutants).items() if count > 1]
    if twice:
        raise MutantError(f"Two mutants are called {', '.join(twice)}. Rename one.")
    return mutants
