"""What the simulated Resource Manager knows about a resource type; the files in `services/` define the types."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.world import Record, RefusedError, World, key_of

PARAMETER = re.compile(r"\{(\w+)\}")
GROUP = "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}"
"""The path of a resource group, with which those of its resources begin."""


@dataclass(frozen=True)
class Call:
    """A create, update or delete, as its rules see it."""

    world: World
    type: "ResourceType"
    id: str
    inputs: Mapping[str, Any]
    old: Record | None = None
    """The existing resource, for an update or a delete."""

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    def input(self, path: str, default: Any = None) -> Any:
        """The input at a dotted path, or `default`."""
        return dig(self.inputs, path, default)

    def kept(self, path: str) -> Any:
        """The existing resource's output at a dotted path; None for a new resource."""
        return dig(self.old.outputs, path) if self.old else None


Rule = Callable[[Call], None]
"""Raises a `RefusedError`, or returns."""


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A type of azure-native: the form of its id, the model of its body, and what Azure refuses."""

    pulumi_type: str
    model: str
    """Microsoft's model of the body, as "module:Class". It's imported when it's needed, because all models take
    seconds."""
    path: str
    """Template of the id; names in braces are inputs that belong to the path and not to the body, unless they have an
    alias: then azure-native sends them in both."""
    globally_unique: bool = False
    """Whether no other subscription may use its name either."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    replaces: frozenset[str] = frozenset()
    """Inputs outside the path whose change makes azure-native replace the resource, besides `location`."""
    seconds: float = 3.0
    rules: tuple[Rule, ...] = ()
    delete_rules: tuple[Rule, ...] = ()
    outputs: Callable[[Call], dict[str, Any]] = lambda call: {"name": call.name}
    before_name: Callable[[Call], None] = lambda _: None
    """What happens before a new resource's name is compared with those that are taken."""
    shown: Callable[[World, Record], Record] = lambda _, record: record
    """The record as a later read returns it: some services add to the request."""
    soft_delete_days: float = 0.0
    no_delete: bool = False
    """Whether ARM can't delete it: it stays until its parent is deleted."""
    singleton: bool = False
    """Whether it exists as soon as its parent does: its create changes it, and its delete resets it."""
    serial: Callable[[str], str | None] = lambda _: None
    """Maps a resource's id to the id of what accepts one write at a time."""

    @property
    def parameters(self) -> list[str]:
        """Names of the inputs that are part of the path."""
        return PARAMETER.findall(self.path)

    def identity(self, inputs: Mapping[str, Any], subscription: str) -> str:
        """The id from `inputs`. Raises if a part is missing."""
        parts: dict[str, str] = {"subscription": subscription}
        for name in self.parameters:
            if name == "subscription":
                continue
            value = inputs.get(name)
            if not isinstance(value, str) or not value:
                raise RefusedError(400, "MissingParameter", f"{self.pulumi_type} needs '{name}', but it is {value!r}.")
            parts[name] = value.strip("/")
        return PARAMETER.sub(lambda found: parts[found[1]], self.path)

    def body_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs that belong into the body."""
        path_alone = set(self.parameters) - self.aliases.keys()
        return {name: value for name, value in inputs.items() if name not in path_alone}


def dig(values: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path of nested dictionaries."""
    for part in path.split("."):
        if not isinstance(values, Mapping) or values.get(part) is None:
            return default
        values = values[part]
    return values


def parents(identity: str) -> Iterator[str]:
    """Ids that must exist before `identity` can: its resource group and its parent resources."""
    parts = key_of(identity).strip("/").split("/")
    providers = max((index for index, part in enumerate(parts) if part == "providers"), default=len(parts))
    for index, part in enumerate(parts):
        if part == "resourcegroups" and index + 2 < len(parts):
            yield "/" + "/".join(parts[: index + 2])
    if 0 < providers < len(parts) and "providers" in parts[:providers]:
        yield "/" + "/".join(parts[:providers])  # an extension resource: what it extends
    for end in range(providers + 4, len(parts), 2):
        yield "/" + "/".join(parts[:end])
