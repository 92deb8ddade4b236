"""The simulated Azure Resource Manager: create, update, read and delete, without Pulumi's engine."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from tests.simulation.faults import Faults
from tests.simulation.models.walker import Problem, body_of, foreseen, problems_of, shape_of
from tests.simulation.published import NOWHERE, REGIONS
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.references import refuse_missing_references
from tests.simulation.resource_manager.resource_type import Call, ResourceType, dig, parents
from tests.simulation.services import authorization
from tests.simulation.services.network import subnet_of
from tests.simulation.world import Record, World, key_of

INTERNAL_PREFIX = "__"
WRITERS = ("Contributor", "Owner")
"""Roles that may write whatever is in a scope, apart from role assignments."""
OF_NETWORKS = "Network Contributor"
"""May write networks and their parts."""


@dataclass(frozen=True)
class Difference:
    """Changed inputs, and those of them that replace the resource."""

    changed: frozenset[str]
    replaces: frozenset[str]


class Arm:
    """Manages resources of known types in a `World`."""

    def __init__(self, world: World, types: Mapping[str, ResourceType]) -> None:
        """`types` by Pulumi's token."""
        self.world = world
        self.faults = Faults(world)
        self._types = types

    def type_of(self, token: str) -> ResourceType:
        """The type behind a token. Raises `RefusedError` if the simulation doesn't know it."""
        if token not in self._types:
            raise RefusedError(
                400, "UnknownType", f"The simulation has no {token}; add it to tests/simulation/services/."
            )
        return self._types[token]

    def problems(self, token: str, inputs: Mapping[str, Any]) -> list[Problem]:
        """What Azure would refuse in `inputs`, whatever exists."""
        kind = self.type_of(token)
        shape = shape_of(kind.model)
        body, unknown = body_of(kind.body_inputs(inputs), shape, kind.aliases)
        return [*unknown, *problems_of(body, shape)]

    def foreseen(self, token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What a preview shows for a new resource."""
        kind = self.type_of(token)
        return foreseen(inputs, shape_of(kind.model), kind.aliases)

    def diff(self, token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
        """Compare inputs as azure-native does: changes of the path and of some fields replace the resource."""
        kind = self.type_of(token)
        names = {name for name in {*old, *new} if not name.startswith(INTERNAL_PREFIX)}
        changed = frozenset(name for name in names if old.get(name) != new.get(name))
        nested = {path.partition(".")[0] for path in kind.replaces if dig(old, path) != dig(new, path)}
        return Difference(changed, changed & (frozenset(kind.parameters) | nested))

    def create(self, token: str, inputs: Mapping[str, Any]) -> Record:
        """Create a resource; it's ready at `Record.ready`. Raises `RefusedError`."""
        kind = self.type_of(token)
        identity = self._identity(kind, inputs)
        with self._logged("create", kind, identity) as extra, self.world.transaction():
            self._refuse_caller(kind, identity)
            self._refuse_problems(token, inputs)
            existing = self.world.get(identity)
            if existing is not None and not kind.singleton:
                raise RefusedError(
                    409, "ResourceAlreadyExists", f"cannot create already existing resource '{identity}'"
                )
            call = Call(self.world, kind, identity, inputs)
            self._refuse_place(call)
            self._refuse_busy(call)
            self._judge(call, kind.rules)
            now = time.time()
            record = Record(identity, token, dict(inputs), {}, now, self._ready(kind, now) + extra.seconds)
            self.world.put(record)
            record = replace(record, outputs=kind.outputs(call))
            self.world.put(record)
        return record

    def update(self, token: str, identity: str, inputs: Mapping[str, Any]) -> Record:
        """Change a resource in place. Raises `RefusedError`."""
        kind = self.type_of(token)
        with self._logged("update", kind, identity) as extra, self.world.transaction():
            self._refuse_caller(kind, identity)
            self._refuse_problems(token, inputs)
            old = self.world.get(identity)
            if old is None:
                raise RefusedError(404, "ResourceNotFound", f"The resource '{identity}' was not found.")
            call = Call(self.world, kind, identity, inputs, old)
            self._refuse_busy(call)
            self._judge(call, kind.rules)
            ready = self._ready(kind, time.time()) + extra.seconds
            record = replace(old, inputs=dict(inputs), ready=ready, outputs=old.outputs | kind.outputs(call))
            self.world.put(record)
        return record

    def read(self, token: str, identity: str) -> Record | None:
        """The resource, or None. The id is enough here; other clouds need the type's `token`."""
        self.type_of(token)
        with self.world.transaction():
            record = self.world.get(identity)
            kind = self._types.get(record.type) if record else None
            return kind.shown(self.world, record) if kind and record else record

    def delete(self, token: str, identity: str) -> float:
        """Delete a resource, and return when it will be gone. Deleting one that is gone is no error, as in Azure."""
        kind = self.type_of(token)
        with self._logged("delete", kind, identity) as extra, self.world.transaction():
            self._refuse_caller(kind, identity)
            old = self.world.get(identity)
            if old is None or kind.no_delete or kind.singleton:
                return time.time()
            call = Call(self.world, kind, identity, old.inputs, old)
            self._refuse_busy(call)
            self._judge(call, kind.delete_rules)
            gone = self._ready(kind, time.time()) + extra.seconds
            for record in self.world.remove(identity, gone):
                self._bury(record)
            kind.on_delete(call)
        return gone

    def _bury(self, record: Record) -> None:
        kind = self._types.get(record.type)
        if kind is not None and kind.soft_delete_days:
            self.world.bury(record.id, record.type, kind.soft_delete_days)

    def _identity(self, kind: ResourceType, inputs: Mapping[str, Any]) -> str:
        identity = kind.identity(inputs, self.world.setting("subscription"))
        if identity is None:
            raise RefusedError(400, "MissingParameter", f"A part of the id of this {kind.pulumi_type} is not known.")
        return identity

    def _ready(self, kind: ResourceType, now: float) -> float:
        return now + kind.seconds * float(self.world.setting("pace"))

    def _refuse_problems(self, token: str, inputs: Mapping[str, Any]) -> None:
        problems = self.problems(token, inputs)
        if problems:
            text = "; ".join(f"{problem.path}: {problem.reason}" for problem in problems)
            raise RefusedError(400, "InvalidRequestContent", f"The request content is not valid: {text}.")

    def _refuse_caller(self, kind: ResourceType, identity: str) -> None:
        """Raise unless the caller may write there. Role assignments have rules of their own."""
        caller = self.world.setting("caller")
        writers = (*WRITERS, OF_NETWORKS) if "/Microsoft.Network/" in identity else WRITERS
        if kind.pulumi_type != authorization.TYPE and not authorization.may(self.world, caller, identity, *writers):
            message = f"The client '{caller}' does not have authorization to write '{identity}'."
            raise RefusedError(403, "AuthorizationFailed", message)

    def _refuse_place(self, call: Call) -> None:
        """Raise if the name is taken, the region or parent doesn't exist, or the provider isn't registered."""
        location = str(call.input("location", NOWHERE)).lower()
        if location not in REGIONS | {NOWHERE}:
            message = f"The provided location '{location}' is not available for {call.type.pulumi_type}."
            raise RefusedError(400, "LocationNotAvailableForResourceType", message)
        if call.type.globally_unique:
            call.type.before_name(call)
            self._refuse_taken(call)
        subscription = self.world.setting("subscription")
        for parent in parents(call.id):
            implicit = parent.endswith("/default") or parent == key_of(f"/subscriptions/{subscription}")
            implicit |= "/subnets/" in parent and subnet_of(self.world, parent) is not None
            if self.world.get(parent) is None and not implicit:
                code = "ResourceGroupNotFound" if "/providers/" not in parent else "ParentResourceNotFound"
                raise RefusedError(404, code, f"'{parent}', which '{call.id}' is to lie in, was not found.")
        found = re.findall(r"/providers/([\w.]+)/", call.id)
        registered = self.world.setting("registered_providers")
        if found and registered is not None and found[-1].lower() not in {name.lower() for name in registered}:
            message = f"The subscription is not registered to use namespace '{found[-1]}'."
            raise RefusedError(409, "MissingSubscriptionRegistration", message)
        refuse_missing_references(call)

    def _refuse_taken(self, call: Call) -> None:
        name = call.name.lower()
        if name in self.world.taken_names(call.type.pulumi_type):
            raise RefusedError(
                409, "NameNotAvailable", f"The name '{call.name}' is taken, or held by a deleted resource."
            )

    def _refuse_busy(self, call: Call) -> None:
        """Raise while another write to the same resource is running."""
        serial = call.type.serial(call.id)
        now = time.time()
        for other in self.world.all():
            kind = self._types.get(other.type)
            theirs = kind.serial(other.id) if kind else None
            same = serial is not None and theirs is not None and key_of(theirs) == key_of(serial)
            if other.ready > now and (same or key_of(other.id) == key_of(call.id)):
                message = f"Another operation is in progress on '{other.id}'."
                raise RefusedError(409, "OperationNotAllowed", message)

    @staticmethod
    def _judge(call: Call, rules: tuple[Any, ...]) -> None:
        for rule in rules:
            rule(call)

    def _logged(self, operation: str, kind: ResourceType, identity: str) -> "Logged":
        return Logged(self.faults, operation, kind.pulumi_type, identity)


class Logged:
    """Logs a call with its outcome; one that a fault hits takes longer."""

    def __init__(self, faults: Faults, operation: str, token: str, identity: str) -> None:
        self._faults, self._call = faults, (operation, token, identity)
        self.seconds = 0.0

    def __enter__(self) -> Self:
        hit = self._faults.meet(*self._call)
        self.seconds = hit[1] if hit else 0.0
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, RefusedError):
            self._faults.log(*self._call, error.code if error else "ok")
