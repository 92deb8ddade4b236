"""What Azure takes in a body, read from Microsoft's own Python models of the REST interface.

The models come from two generators that keep this knowledge in different private tables, hence one reader for each
(`shapes_current`, `shapes_classic`) and this one form for both. They know names, types, enums and what is read-only;
the classic ones know lengths and patterns too. They don't know what Azure takes as a name: the services' files do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scalar:
    """A value without parts; `kinds` are the Python types that JSON may give for it."""

    kinds: tuple[type, ...]
    values: frozenset[str] = frozenset()
    """Allowed texts, compared without case as Azure does; empty when any is."""
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
    """A value that the model does not describe."""


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
    """A shape that is read when it is needed: models refer to each other in circles. `name` is "module:Class"."""

    name: str


Node = Scalar | Listing | Table | Anything | Shape | Lazy


def find(shape: Shape, name: str) -> str | None:
    """The wire name for a Pulumi name: the same, or one that differs only by case and by characters that names lack."""
    if name in shape.members:
        return name
    bare = _bare(name)
    return next((wire for wire in shape.members if _bare(wire) == bare), None)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
