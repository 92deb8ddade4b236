"""What both simulated providers share: their types' rules, and create, update and delete of a resource by them.

Each operation is one transaction on the record.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.simulation.faults import Faults
from tests.simulation.world import Record, RefusedError, World

PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Call:
    """A create, update or delete, as its rules see it."""

    world: World
    type: "ResourceType"
    id: str
    """The resource's key in the record."""
    name: str
    """The last part of an Azure resource's id; all of a Databricks object's."""
    inputs: Mapping[str, Any]
    old: Record | None
    """The existing resource."""

    @property
    def caller(self) -> str:
        return str(self.world.setting("caller"))

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
    """A type of one of Pulumi's packages: when it is replaced, what is refused, and what its service adds."""

    pulumi_type: str
    path: str = ""
    """Template of an Azure resource's id; names in braces are inputs that belong to the path and not to the body."""
    replaces: frozenset[str] = frozenset()
    """Inputs outside the path whose change makes the provider replace the resource, besides `location`."""
    seconds: float = 3.0
    rules: tuple[Rule, ...] = ()
    """Of creates and updates."""
    delete_rules: tuple[Rule, ...] = ()
    outputs: Callable[[Call], dict[str, Any]] = lambda call: {"name": call.name}
    soft_delete_days: float = 0.0
    no_delete: bool = False
    """Whether ARM can't delete it: it stays until its parent is deleted."""
    singleton: bool = False
    """Whether it exists as soon as its parent does: its create changes it, and its delete resets it."""
    forced: bool = False
    """Whether its create changes one that exists."""
    collection: str = ""
    """Where Databricks has objects of this type."""
    in_metastore: bool = False
    """Whether that is Unity Catalog's metastore, and not a workspace."""
    read_rules: tuple[Rule, ...] = ()

    @property
    def parameters(self) -> list[str]:
        """Names of the inputs that are part of the path."""
        return PARAMETER.findall(self.path)

    def identity(self, inputs: Mapping[str, Any], subscription: str) -> str:
        """The path of the names in `inputs`. Raises if one is missing."""
        parts = {"subscription": subscription, **inputs}
        missing = [name for name in self.parameters if not isinstance(parts.get(name), str)]
        if missing:
            raise RefusedError(400, "MissingParameter", f"{self.pulumi_type} needs {missing}.")
        return PARAMETER.sub(lambda found: parts[found[1]].strip("/"), self.path)


class Cloud:
    """The resources of some types in a `World`, without Pulumi's engine. Every method may raise `RefusedError`."""

    def __init__(self, world: World, types: Mapping[str, ResourceType]) -> None:
        """`types` by Pulumi's token."""
        self.world = world
        self.faults = Faults(world)
        self._types = types

    def read(self, token: str, identity: str) -> Record | None:
        """The resource as a later read returns it, or None."""
        raise NotImplementedError

    def identity(self, kind: ResourceType, inputs: Mapping[str, Any]) -> str:
        """The id of a new resource."""
        raise NotImplementedError

    def call(self, kind: ResourceType, identity: str, inputs: Mapping[str, Any]) -> Call:
        """The operation on the resource with this id; refuses callers that may not write it."""
        raise NotImplementedError

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the provider's settings."""

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function."""
        raise RefusedError(400, "UnknownFunction", f"The simulation has no {token} (called with {sorted(arguments)}).")

    def refuse(self, call: Call) -> None:
        """Raise for what is refused whatever the type."""

    def kind(self, token: str) -> ResourceType:
        """The type behind a token."""
        if token not in self._types:
            raise RefusedError(400, "UnknownType", f"The simulation has no {token}; see tests/simulation/README.md.")
        return self._types[token]

    def changes(self, token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[set[str], set[str]]:
        """Which inputs changed, and which of them replace the resource."""
        kind = self.kind(token)
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        fixed = {"location", *kind.parameters, *kind.replaces}
        replacing = {path.partition(".")[0] for path in fixed if dig(old, path) != dig(new, path)}
        return changed, changed & replacing

    def create(self, token: str, inputs: Mapping[str, Any]) -> Record:
        """Create a resource; it's ready at `Record.ready`."""
        kind = self.kind(token)
        identity = self.identity(kind, inputs)
        with self._logged("create", token, identity) as delay:
            call = self.call(kind, identity, inputs)
            if call.old is not None and not (kind.singleton or kind.forced):
                raise RefusedError(409, "ResourceAlreadyExists", f"cannot create already existing resource '{call.id}'")
            record = self._written(call, delay)
        return replace(record, id=identity)

    def update(self, token: str, identity: str, inputs: Mapping[str, Any]) -> Record:
        with self._logged("update", token, identity) as delay:
            call = self.call(self.kind(token), identity, inputs)
            if call.old is None:
                raise RefusedError(404, "ResourceNotFound", f"The resource '{identity}' was not found.")
            record = self._written(call, delay)
        return replace(record, id=identity)

    def delete(self, token: str, identity: str) -> float:
        """Delete a resource, and return when it will be gone. Deleting one that is gone is no error."""
        kind = self.kind(token)
        with self._logged("delete", token, identity) as delay:
            call = self.call(kind, identity, {})
            if call.old is None or kind.no_delete or kind.singleton:
                return time.time()
            call = replace(call, inputs=call.old.inputs)
            self.refuse(call)
            for rule in kind.delete_rules:
                rule(call)
            gone = self._ready(kind) + delay
            for record in self.world.remove(call.id, gone):
                going = self._types.get(record.type)
                if going is not None and going.soft_delete_days:
                    self.world.bury(record.id, record.type, going.soft_delete_days)
        return gone

    def _written(self, call: Call, delay: float) -> Record:
        self.refuse(call)
        for rule in call.type.rules:
            rule(call)
        ready, outputs = self._ready(call.type) + delay, call.type.outputs(call)
        old = call.old or Record(call.id, call.type.pulumi_type, {}, {}, time.time(), ready)
        record = replace(old, inputs=dict(call.inputs), outputs=old.outputs | outputs, ready=ready)
        self.world.put(record)
        return record

    def _ready(self, kind: ResourceType) -> float:
        return time.time() + kind.seconds * float(self.world.setting("pace"))

    @contextmanager
    def _logged(self, operation: str, token: str, identity: str) -> Iterator[float]:
        """A logged transaction; gives the seconds that it takes longer."""
        with self.faults.logged(operation, token, identity) as delay, self.world.transaction():
            yield delay


def dig(values: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path of nested dictionaries."""
    for part in path.split("."):
        if not isinstance(values, Mapping) or values.get(part) is None:
            return default
        values = values[part]
    return values
