"""What the simulated Azure Resource Manager knows of one resource type; the services' files say it for each."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from steps.provider.step import UnknownValue
from tests.simulation.refusal import RefusedError
from tests.simulation.world import Record, World, key_of

PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class NameRule:
    """What Azure takes as a name."""

    pattern: str
    shortest: int
    longest: int
    globally_unique: bool = False

    def refuse(self, name: str) -> None:
        """Raise when `name` is no valid one."""
        if not self.shortest <= len(name) <= self.longest:
            raise RefusedError(
                400, "InvalidResourceName",
                f"'{name}' has {len(name)} characters; {self.shortest} to {self.longest} are allowed.",
            )  # fmt: skip
        if not re.fullmatch(self.pattern, name):
            raise RefusedError(400, "InvalidResourceName", f"'{name}' does not match {self.pattern}.")


@dataclass(frozen=True)
class Call:
    """One create, update or delete, as a rule sees it."""

    world: World
    type: "ResourceType"
    id: str
    inputs: Mapping[str, Any]
    old: Record | None = None
    """The resource as it is, for an update or a delete."""

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    def input(self, path: str, default: Any = None) -> Any:
        """The input at a dotted path; `default` when any part of it is missing."""
        return dig(self.inputs, path, default)


Rule = Callable[[Call], None]
"""Raises a `RefusedError`, or returns."""


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A type of azure-native: how its id is made, what its body may hold, and what Azure refuses."""

    pulumi_type: str
    model: str
    """Microsoft's model of the body, as "module:Class": imported when it is needed, as all of them take seconds."""
    path: str
    """Template of the id; what is in braces are inputs that go into the path and not into the body."""
    name: NameRule | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    replaces: frozenset[str] = frozenset()
    """Inputs beside the path's whose change makes azure-native replace the resource."""
    fixed: frozenset[str] = frozenset()
    """Dotted inputs that Azure refuses to change in place."""
    seconds: float = 3.0
    rules: tuple[Rule, ...] = ()
    delete_rules: tuple[Rule, ...] = ()
    outputs: Callable[[Call], dict[str, Any]] = lambda _: {}
    shown: Callable[[World, Record], Record] = lambda _, record: record
    """The record as a later read shows it: some services add to what was asked for."""
    on_delete: Callable[[Call], None] = lambda _: None
    soft_delete_days: float = 0.0
    no_delete: bool = False
    """Whether ARM has no delete for it: the resource stays until its parent goes."""
    singleton: bool = False
    """Whether it is there as soon as its parent is: its create changes it and its delete resets it."""
    serial: Callable[[str], str | None] = lambda _: None
    """Id of the thing that takes one write at a time, for a resource's own id."""

    @property
    def parameters(self) -> list[str]:
        """Names of the inputs that are part of the path."""
        return PARAMETER.findall(self.path)

    def identity(self, inputs: Mapping[str, Any], subscription: str) -> str | None:
        """The id that `inputs` give; None while a part of it is not known yet. Raises when a part is missing."""
        parts: dict[str, str] = {"subscription": subscription}
        for name in self.parameters:
            if name == "subscription":
                continue
            value = inputs.get(name)
            if isinstance(value, UnknownValue):
                return None
            if not isinstance(value, str) or not value:
                raise RefusedError(400, "MissingParameter", f"{self.pulumi_type} needs '{name}', but it is {value!r}.")
            parts[name] = value.strip("/")
        return PARAMETER.sub(lambda found: parts[found[1]], self.path)

    def body_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs that belong into the body."""
        return {name: value for name, value in inputs.items() if name not in self.parameters}


def dig(values: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path of nested dictionaries."""
    for part in path.split("."):
        if not isinstance(values, Mapping) or values.get(part) is None:
            return default
        values = values[part]
    return values


def parents(identity: str) -> Iterator[str]:
    """Ids that must exist before `identity` can: its resource group and the resources that it is a child of."""
    parts = key_of(identity).strip("/").split("/")
    providers = max((index for index, part in enumerate(parts) if part == "providers"), default=len(parts))
    for index, part in enumerate(parts):
        if part == "resourcegroups" and index + 2 < len(parts):
            yield "/" + "/".join(parts[: index + 2])
    if 0 < providers < len(parts) and "providers" in parts[:providers]:
        yield "/" + "/".join(parts[:providers])  # an extension: the resource that it is about
    for end in range(providers + 4, len(parts), 2):
        yield "/" + "/".join(parts[:end])
