"""The simulated Databricks: objects of a workspace and of the Unity Catalog metastore above it.

Workspace objects belong to the workspace in the record and are deleted with it; metastore objects outlive it, as on
Databricks. Nothing answers until the workspace is ready and the caller is a member.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.simulation.faults import Faults
from tests.simulation.plugins.protocol import Cloud, Difference
from tests.simulation.services.catalogue import DATABRICKS
from tests.simulation.world import Record, RefusedError, World, key_of

METASTORE = "/metastore"
OWNER = "owner"
"""Output with the caller that created an object."""
NOT_FOUND = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True)
class DatabricksCall:
    """A create, update or delete, as its rules see it."""

    world: World
    workspace: Record
    base: str
    """Id of the workspace or metastore that holds the object."""
    name: str
    """The object's id within its collection."""
    inputs: Mapping[str, Any]
    old: Record | None = None

    @property
    def caller(self) -> str:
        """Who asks."""
        return str(self.world.setting("caller"))

    def named(self, collection: str, name: str) -> Record | None:
        """Another object of the same workspace or metastore."""
        return self.world.get(f"{self.base}/{collection}/{name.strip('/')}")


Rule = Callable[[DatabricksCall], None]


@dataclass(frozen=True, kw_only=True)
class DatabricksType:
    """A type of the Databricks package."""

    pulumi_type: str
    collection: str
    in_metastore: bool = False
    identity: Callable[[Mapping[str, Any]], str | None]
    """The object's id from its inputs, or None if Databricks generates it."""
    replaces: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    delete_rules: tuple[Rule, ...] = ()
    read_rules: tuple[Rule, ...] = ()
    outputs: Callable[[DatabricksCall], dict[str, Any]] = field(default=lambda _: {})


class Databricks(Cloud):
    """All types of Databricks; the provider's host identifies the workspace."""

    def __init__(self, world: World, types: Mapping[str, DatabricksType]) -> None:
        """`types` by Pulumi's token."""
        self.world = world
        self.faults = Faults(world)
        self._types = types
        self._host: str | None = None

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the provider's settings; the host is unknown until the workspace exists."""
        host = settings.get("host")
        self._host = host if isinstance(host, str) else None

    def diff(self, token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
        """Compare inputs."""
        changed = frozenset(name for name in {*old, *new} if old.get(name) != new.get(name))
        return Difference(changed, changed & self._type(token).replaces)

    def create(self, token: str, inputs: Mapping[str, Any]) -> Record:
        """Create an object."""
        kind = self._type(token)
        given = kind.identity(inputs)
        with self.faults.logged("create", token, given or "new") as delay, self.world.transaction():
            call = self._call(kind, given or str(self._next_number()), inputs)
            if self.world.get(self._key(kind, call)) is not None:
                raise RefusedError(400, "RESOURCE_ALREADY_EXISTS", f"{kind.collection} '{call.name}' already exists.")
            for rule in kind.rules:
                rule(call)
            now = time.time()
            outputs = {OWNER: call.caller} | kind.outputs(call)
            record = Record(self._key(kind, call), token, dict(inputs), outputs, now, now + delay)
            self.world.put(record)
        return replace(record, id=call.name)

    def update(self, token: str, identity: str, inputs: Mapping[str, Any]) -> Record:
        """Change an object in place."""
        kind = self._type(token)
        with self.faults.logged("update", token, identity) as delay, self.world.transaction():
            call = self._existing(kind, identity, inputs)
            if call is None or call.old is None:
                raise RefusedError(404, NOT_FOUND, f"{kind.collection} '{identity}' does not exist.")
            for rule in kind.rules:
                rule(call)
            ready = time.time() + delay
            record = replace(call.old, inputs=dict(inputs), outputs=call.old.outputs | kind.outputs(call), ready=ready)
            self.world.put(record)
        return replace(record, id=identity)

    def read(self, token: str, identity: str) -> Record | None:
        """Look an object up; it's gone if its workspace is."""
        kind = self._type(token)
        with self.world.transaction():
            call = self._existing(kind, identity, {}) if self._workspace() is not None else None
            if call is None or call.old is None:
                return None
            for rule in kind.read_rules:
                rule(call)
        return replace(call.old, id=identity)

    def delete(self, token: str, identity: str) -> float:
        """Delete an object; one that is gone is no error."""
        kind = self._type(token)
        with self.faults.logged("delete", token, identity) as delay, self.world.transaction():
            call = self._existing(kind, identity, {})
            gone = time.time() + delay
            if call is not None and (old := call.old) is not None:
                for rule in kind.delete_rules:
                    rule(replace(call, inputs=old.inputs))
                self.world.remove(old.id, gone)
        return gone

    def _type(self, token: str) -> DatabricksType:
        if token not in self._types:
            raise RefusedError(400, "UnknownType", f"The simulation has no {token}.")
        return self._types[token]

    def _existing(self, kind: DatabricksType, identity: str, inputs: Mapping[str, Any]) -> DatabricksCall | None:
        call = self._call(kind, identity, inputs)
        old = self.world.get(self._key(kind, call))
        return replace(call, old=old) if old else None

    def _call(self, kind: DatabricksType, name: str, inputs: Mapping[str, Any]) -> DatabricksCall:
        workspace = self._workspace()
        if workspace is None or workspace.ready > time.time():
            raise RefusedError(0, "NoSuchHost", f"cannot configure azure auth: no workspace answers at {self._host!r}.")
        call = DatabricksCall(self.world, workspace, METASTORE if kind.in_metastore else workspace.id, name, inputs)
        if call.caller not in self.world.setting("members").get(workspace.outputs["workspaceId"], []):
            raise RefusedError(403, "PERMISSION_DENIED", f"{call.caller} is not a member of the workspace.")
        if kind.in_metastore and not self.world.setting("metastore"):
            raise RefusedError(404, "METASTORE_DOES_NOT_EXIST", "No metastore is assigned to the workspace.")
        return call

    def _workspace(self) -> Record | None:
        wanted = (self._host or "").removeprefix("https://").rstrip("/")
        found = (record for record in self.world.all(DATABRICKS) if not record.deleting)
        return next((record for record in found if record.outputs["workspaceUrl"] == wanted), None)

    def _next_number(self) -> int:
        number = int(self.world.setting("next_number")) + 1
        self.world.set("next_number", number)
        return number

    @staticmethod
    def _key(kind: DatabricksType, call: DatabricksCall) -> str:
        return key_of(f"{call.base}/{kind.collection}/{call.name.strip('/')}")
