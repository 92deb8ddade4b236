"""The simulated Azure Resource Manager: create, update, read and delete, without Pulumi's engine.

Run as a program, it stands in for Pulumi's provider `azure-native`: the same resources in the same record.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.cloud import Call, Cloud, ResourceType
from tests.simulation.plugins.protocol import serve_cloud
from tests.simulation.published import NOWHERE, REGIONS
from tests.simulation.services.authorization import ROLE_ASSIGNMENT, may
from tests.simulation.services.catalogue import TYPES
from tests.simulation.services.kubernetes import shown, user_credentials
from tests.simulation.services.network import has_subnet
from tests.simulation.world import Record, RefusedError, World, key_of, world_from_environment

VERSION = "3.29.0"
"""Azure-native's."""
WRITERS = ("Contributor", "Owner")
"""Roles that may write whatever is in a scope, apart from role assignments."""
OF_NETWORKS = "Network Contributor"
"""May write networks and their parts."""
RESOURCE = re.compile(r"/subscriptions/[^/\s]+(/resourceGroups/[^/\s]+)?/providers/[\w.]+(/[^/\s]+)+", re.IGNORECASE)
BUILT_IN = re.compile(r"/providers/Microsoft\.Authorization/(role|policy)Definitions/", re.IGNORECASE)
IMPLICIT = ("/blobservices/default", "/fileservices/default")
"""Children that exist as soon as their parent does."""
SERIAL = re.compile(
    r"(?P<whole>.+/(managedClusters|virtualNetworks|userAssignedIdentities)/[^/]+)"
    r"(/(agentPools|maintenanceConfigurations|virtualNetworkPeerings|federatedIdentityCredentials)/[^/]+)?",
    re.IGNORECASE,
)
"""What accepts, with its parts, one write at a time."""


class Arm(Cloud):
    """All types of the catalogue."""

    def __init__(self, world: World) -> None:
        super().__init__(world, TYPES)

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call one of the functions that the program calls."""
        if token != "azure-native:containerservice:listManagedClusterUserCredentials":  # noqa: S105 - a function's
            return super().invoke(token, arguments)
        with self.world.transaction():
            return user_credentials(self.world, arguments)

    def identity(self, kind: ResourceType, inputs: Mapping[str, Any]) -> str:
        """The path of the names in the inputs."""
        return kind.identity(inputs, self.world.setting("subscription"))

    def call(self, kind: ResourceType, identity: str, inputs: Mapping[str, Any]) -> Call:
        """Raises unless the caller may write there. Role assignments have rules of their own."""
        call = Call(self.world, kind, identity, identity.rpartition("/")[2], inputs, self.world.get(identity))
        writers = (*WRITERS, OF_NETWORKS) if "/Microsoft.Network/" in identity else WRITERS
        if kind.pulumi_type != ROLE_ASSIGNMENT and not may(self.world, call.caller, identity, *writers):
            message = f"The client '{call.caller}' does not have authorization to write '{identity}'."
            raise RefusedError(403, "AuthorizationFailed", message)
        return call

    def refuse(self, call: Call) -> None:
        """Raise if a new resource has no place, or while another write to the same one is running."""
        if call.old is None:
            self._refuse_place(call)
        serial = _serial(call.id)
        for other in self.world.all():
            if other.ready > time.time() and _serial(other.id) == serial:
                raise RefusedError(409, "OperationNotAllowed", f"Another operation is in progress on '{other.id}'.")

    def read(self, token: str, identity: str) -> Record | None:
        """The resource as a later read returns it, or None."""
        del token
        with self.world.transaction():
            record = self.world.get(identity)
            return shown(self.world, record) if record else None

    def _refuse_place(self, call: Call) -> None:
        """Raise if the region or parent doesn't exist, or the provider isn't registered."""
        location = str(call.input("location", NOWHERE)).lower()
        if location not in REGIONS | {NOWHERE}:
            message = f"The provided location '{location}' is not available for {call.type.pulumi_type}."
            raise RefusedError(400, "LocationNotAvailableForResourceType", message)
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


def _serial(identity: str) -> str:
    found = SERIAL.fullmatch(identity)
    return key_of(found["whole"] if found else identity)


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


def _refuse_missing_references(call: Call) -> None:
    """Raise if the inputs refer to a resource that doesn't exist. Ids in the path are checked as parents."""
    for text in _strings({name: one for name, one in call.inputs.items() if name not in call.type.parameters}):
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
    asyncio.run(serve_cloud(Arm(world_from_environment()), VERSION))
