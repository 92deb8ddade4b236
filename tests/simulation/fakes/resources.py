"""Resources that the product itself creates through Resource Manager, under the same rules as the plugin's calls."""

import re
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.arm import Arm
from tests.simulation.resource_manager.resource_type import PARAMETER, ResourceType
from tests.simulation.services.authorization import GIVERS, ROLE_DEFINITION, may
from tests.simulation.services.catalogue import TYPES
from tests.simulation.world import Record, World

LOCK = re.compile(r"(?P<scope>/.+)/providers/Microsoft\.Authorization/locks/[^/]+")
DEFINITION = re.compile(r"/subscriptions/[^/]+/providers/Microsoft\.Authorization/roleDefinitions/[0-9a-f-]{36}")
WRITERS = ("Contributor", "Owner")
LOCKERS = ("Owner", "User Access Administrator")
"""Roles with the actions on locks and on role definitions. Source: the page above."""
WHOLE = "azure-native:keyvault:"
"""Types whose `properties` azure-native keeps unchanged."""


class Put:
    """The endpoint for every path."""

    def __init__(self, world: World) -> None:
        """Creates in the record what it receives."""
        self._world = world
        self._arm = Arm(world, TYPES)

    async def __call__(self, request: Request) -> Response:
        """Create or change a resource."""
        path, body = request.url.path, await request.json()
        if not may(self._world, request.state.caller, path, *_writers(path)):
            raise RefusedError(403, "AuthorizationFailed", f"'{request.state.caller}' may not write {path}.")
        old = self._world.get(path)
        if LOCK.fullmatch(path):
            record = self._lock(path, body)
        else:
            record = self._role(path, body) if DEFINITION.fullmatch(path) else self._made(path, body, old)
        properties = {**record.inputs, **record.outputs, "provisioningState": "Succeeded"}
        shown = {"id": record.id, "name": record.id.rpartition("/")[2], "properties": properties}
        return JSONResponse(shown, 201 if old is None else 200)

    def _made(self, path: str, body: Mapping[str, Any], old: Record | None) -> Record:
        kind, named = _type_of(path)
        lifted = dict(body)
        if not kind.pulumi_type.startswith(WHOLE):
            lifted |= lifted.pop("properties", {})
        inputs = {**lifted, **named}
        if old is None or kind.singleton:
            return self._arm.create(kind.pulumi_type, inputs)
        return self._arm.update(kind.pulumi_type, path, inputs)

    def _lock(self, path: str, body: Mapping[str, Any]) -> Record:
        found = LOCK.fullmatch(path)
        if found is None or self._world.get(found["scope"]) is None:
            raise RefusedError(404, "ResourceNotFound", f"There is nothing that {path} could lock.")
        record = Record(path, "Microsoft.Authorization/locks", dict(body["properties"]), {}, time.time(), 0.0)
        with self._world.transaction():
            self._world.put(record)
        return record

    def _role(self, path: str, body: Mapping[str, Any]) -> Record:
        given = body.get("properties") or {}
        scope = path.partition("/providers/")[0]
        if given.get("assignableScopes") != [scope] or not given.get("roleName"):
            raise RefusedError(400, "RoleDefinitionScopeInvalid", f"The role must be assignable at {scope} alone.")
        record = Record(path, ROLE_DEFINITION, dict(given), {}, time.time(), 0.0)
        with self._world.transaction():
            self._world.put(record)
        return record


def _writers(path: str) -> tuple[str, ...]:
    """The roles that may write at a path."""
    if LOCK.fullmatch(path) or DEFINITION.fullmatch(path):
        return LOCKERS
    return GIVERS if "/roleAssignments/" in path else WRITERS


def _type_of(path: str) -> tuple[ResourceType, dict[str, str]]:
    """The type whose ids match `path`, and the inputs in it."""
    for kind in TYPES.values():
        if found := re.fullmatch(
            PARAMETER.sub(_group, re.escape(kind.path).replace(r"\{", "{").replace(r"\}", "}")), path
        ):
            return kind, {name: value for name, value in found.groupdict().items() if name != "subscription"}
    raise RefusedError(404, "InvalidResourceType", f"The simulation knows no type of resource at {path}.")


def _group(parameter: re.Match[str]) -> str:
    """A pattern for a part of a path; a scope is a path itself."""
    return f"(?P<{parameter[1]}>{'.+' if parameter[1] == 'scope' else '[^/]+'})"
