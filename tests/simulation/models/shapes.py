"""What Azure accepts in a body, read from Microsoft's own Python models of the REST API.

The models come from two generators that keep this knowledge in different private tables, so each has a reader
(`current`, `classic`), and this is the common form. They know names, types, enums and what is read-only; the classic
ones know lengths and patterns too. They don't know which names Azure accepts; the files in `services/` do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scalar:
    """A value without parts; `kinds` are the Python types that JSON may give for it."""

    kinds: tuple[type, ...]
    values: frozenset[str] = frozenset()
    """Allowed texts, compared case-insensitively as Azure does; empty if any text is allowed."""
    pattern: str | None = None
    shortest: int | None = None
    longest: int | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Listing:
    """An array of `item`s."""

    item: "Node"


@dataclass(frozen=True)
class Table:
    """An object with free keys and values of one kind."""

    value: "Node"


@dataclass(frozen=True)
class Anything:
    """A value that the model doesn't describe."""


@dataclass(frozen=True)
class Member:
    """A field of an object."""

    node: "Node"
    read_only: bool = False
    required: bool = False


@dataclass(frozen=True)
class Shape:
    """An object with known fields. Subclasses by the discriminator's value, when the model has any."""

    name: str
    members: Mapping[str, Member]
    discriminator: str | None = None
    variants: Mapping[str, "Lazy"] = field(default_factory=dict)


@dataclass(frozen=True)
class Lazy:
    """A shape that is read when it's needed, because models refer to each other in circles. `name` is
    "module:Class"."""

    name: str


Node = Scalar | Listing | Table | Anything | Shape | Lazy


def find(shape: Shape, name: str) -> str | None:
    """The wire name for a Pulumi name: the same, or one that differs only in case and in characters that Pulumi
    drops."""
    if name in shape.members:
        return name
    bare = _bare(name)
    return next((wire for wire in shape.members if _bare(wire) == bare), None)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
