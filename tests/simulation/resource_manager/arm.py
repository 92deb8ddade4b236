"""The simulated Azure Resource Manager: create, update, read and delete, without Pulumi's engine.

Run as a program, it stands in for Pulumi's provider `azure-native`: the same resources in the same record.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.simulation.faults import Faults
from tests.simulation.plugins.protocol import Cloud, Difference, serve
from tests.simulation.published import NOWHERE, REGIONS
from tests.simulation.resource_manager.bodies import Problem, body_of, foreseen, problems_of
from tests.simulation.resource_manager.models import shape_of
from tests.simulation.resource_manager.resource_type import Call, ResourceType, dig, parents
from tests.simulation.services.authorization import ROLE_ASSIGNMENT, may
from tests.simulation.services.catalogue import TYPES
from tests.simulation.services.kubernetes import user_credentials
from tests.simulation.services.network import has_subnet
from tests.simulation.world import Record, RefusedError, World, key_of, world_from_environment

VERSION = "3.29.0"
"""Azure-native's."""
INTERNAL_PREFIX = "__"
WRITERS = ("Contributor", "Owner")
"""Roles that may write whatever is in a scope, apart from role assignments."""
OF_NETWORKS = "Network Contributor"
"""May write networks and their parts."""
RESOURCE = re.compile(r"/subscriptions/[^/\s]+(/resourceGroups/[^/\s]+)?/providers/[\w.]+(/[^/\s]+)+", re.IGNORECASE)
BUILT_IN = re.compile(r"/providers/Microsoft\.Authorization/(role|policy)Definitions/", re.IGNORECASE)
IMPLICIT = ("/blobservices/default", "/fileservices/default")
"""Children that exist as soon as their parent does."""


def _client_config(world: World, _: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "subscriptionId": world.setting("subscription"),
        "tenantId": world.setting("tenant"),
        "objectId": world.setting("caller"),
        "clientId": world.setting("caller"),
    }


FUNCTIONS: Mapping[str, Callable[[World, Mapping[str, Any]], dict[str, Any]]] = {
    "azure-native:authorization:getClientConfig": _client_config,
    "azure-native:containerservice:listManagedClusterUserCredentials": user_credentials,
}
"""Azure-native's, as far as the program calls them."""


class Arm(Cloud):
    """Manages the resources of a `World`."""

    def __init__(self, world: World) -> None:
        """Knows all types of the catalogue."""
        self.world = world
        self.faults = Faults(world)

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function."""
        if token not in FUNCTIONS:
            return super().invoke(token, arguments)
        with self.world.transaction():
            return FUNCTIONS[token](self.world, arguments)

    def problems(self, token: str, inputs: Mapping[str, Any]) -> list[Problem]:
        """What Azure would refuse in `inputs`, whatever exists."""
        kind = _type_of(token)
        shape = shape_of(kind.model)
        body, unknown = body_of(kind.body_inputs(inputs), shape, kind.aliases)
        return [*unknown, *problems_of(body, shape)]

    def foreseen(self, token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What a preview shows for a new resource."""
        kind = _type_of(token)
        return foreseen(inputs, shape_of(kind.model), kind.aliases)

    def diff(self, token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
        """Compare inputs as azure-native does: changes of the path and of some fields replace the resource."""
        kind = _type_of(token)
        names = {name for name in {*old, *new} if not name.startswith(INTERNAL_PREFIX)}
        changed = frozenset(name for name in names if old.get(name) != new.get(name))
        fixed = {"location", *kind.replaces}
        nested = {path.partition(".")[0] for path in fixed if dig(old, path) != dig(new, path)}
        return Difference(changed, changed & (frozenset(kind.parameters) | nested))

    def create(self, token: str, inputs: Mapping[str, Any]) -> Record:
        """Create a resource; it's ready at `Record.ready`. Raises `RefusedError`."""
        kind = _type_of(token)
        identity = kind.identity(inputs, self.world.setting("subscription"))
        with self.faults.logged("create", token, identity) as delay, self.world.transaction():
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
            for rule in kind.rules:
                rule(call)
            now = time.time()
            record = Record(identity, token, dict(inputs), {}, now, self._ready(kind, now) + delay)
            self.world.put(record)
            record = replace(record, outputs=kind.outputs(call))
            self.world.put(record)
        return record

    def update(self, token: str, identity: str, inputs: Mapping[str, Any]) -> Record:
        """Change a resource in place. Raises `RefusedError`."""
        kind = _type_of(token)
        with self.faults.logged("update", token, identity) as delay, self.world.transaction():
            self._refuse_caller(kind, identity)
            self._refuse_problems(token, inputs)
            old = self.world.get(identity)
            if old is None:
                raise RefusedError(404, "ResourceNotFound", f"The resource '{identity}' was not found.")
            call = Call(self.world, kind, identity, inputs, old)
            self._refuse_busy(call)
            for rule in kind.rules:
                rule(call)
            ready = self._ready(kind, time.time()) + delay
            record = replace(old, inputs=dict(inputs), ready=ready, outputs=old.outputs | kind.outputs(call))
            self.world.put(record)
        return record

    def read(self, token: str, identity: str) -> Record | None:
        """The resource as a later read returns it, or None."""
        kind = _type_of(token)
        with self.world.transaction():
            record = self.world.get(identity)
            return kind.shown(self.world, record) if record else None

    def delete(self, token: str, identity: str) -> float:
        """Delete a resource, and return when it will be gone. Deleting one that is gone is no error, as in Azure."""
        kind = _type_of(token)
        with self.faults.logged("delete", token, identity) as delay, self.world.transaction():
            self._refuse_caller(kind, identity)
            old = self.world.get(identity)
            if old is None or kind.no_delete or kind.singleton:
                return time.time()
            call = Call(self.world, kind, identity, old.inputs, old)
            self._refuse_busy(call)
            for rule in kind.delete_rules:
                rule(call)
            gone = self._ready(kind, time.time()) + delay
            for record in self.world.remove(identity, gone):
                going = TYPES.get(record.type)
                if going is not None and going.soft_delete_days:
                    self.world.bury(record.id, record.type, going.soft_delete_days)
        return gone

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
        if kind.pulumi_type != ROLE_ASSIGNMENT and not may(self.world, caller, identity, *writers):
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
            if call.name.lower() in self.world.taken_names(call.type.pulumi_type):
                message = f"The name '{call.name}' is taken, or held by a deleted resource."
                raise RefusedError(409, "NameNotAvailable", message)
        subscription = self.world.setting("subscription")
        for parent in parents(call.id):
            implicit = parent.endswith("/default") or parent == key_of(f"/subscriptions/{subscription}")
            implicit |= "/subnets/" in parent and has_subnet(self.world, parent)
            if self.world.get(parent) is None and not implicit:
                code = "ResourceGroupNotFound" if "/providers/" not in parent else "ParentResourceNotFound"
                raise RefusedError(404, code, f"'{parent}', which '{call.id}' is to lie in, was not found.")
        found = re.findall(r"/providers/([\w.]+)/", call.id)
        registered = self.world.setting("registered_providers")
        if found and registered is not None and found[-1].lower() not in {name.lower() for name in registered}:
            message = f"The subscription is not registered to use namespace '{found[-1]}'."
            raise RefusedError(409, "MissingSubscriptionRegistration", message)
        _refuse_missing_references(call)

    def _refuse_busy(self, call: Call) -> None:
        """Raise while another write to the same resource is running."""
        serial = call.type.serial(call.id)
        now = time.time()
        for other in self.world.all():
            kind = TYPES.get(other.type)
            theirs = kind.serial(other.id) if kind else None
            same = serial is not None and theirs is not None and key_of(theirs) == key_of(serial)
            if other.ready > now and (same or key_of(other.id) == key_of(call.id)):
                message = f"Another operation is in progress on '{other.id}'."
                raise RefusedError(409, "OperationNotAllowed", message)


def _type_of(token: str) -> ResourceType:
    """The type behind a token. Raises `RefusedError` if the simulation doesn't know it."""
    if token not in TYPES:
        raise RefusedError(400, "UnknownType", f"The simulation has no {token}; add it to tests/simulation/services/.")
    return TYPES[token]


def _refuse_missing_references(call: Call) -> None:
    """Raise if the inputs refer to a resource that doesn't exist. Ids in the path are checked as parents."""
    for text in _strings(call.type.body_inputs(call.inputs)):
        if not RESOURCE.fullmatch(text) or BUILT_IN.search(text):
            continue
        key = key_of(text)
        owner = next((key.removesuffix(child) for child in IMPLICIT if key.endswith(child)), key)
        owner = owner.partition("/subnets/")[0]  # whoever joins a subnet checks that it exists
        if call.world.get(owner) is None:
            raise RefusedError(404, "LinkedResourceNotFound", f"'{text}', which '{call.id}' refers to, was not found.")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


if __name__ == "__main__":
    asyncio.run(serve(Arm(world_from_environment()), VERSION))
