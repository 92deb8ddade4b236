"""Ids inside a body: what they name must exist, as far as Azure looks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, dig
from tests.simulation.world import key_of

RESOURCE = re.compile(r"/subscriptions/[^/\s]+(/resourceGroups/[^/\s]+)?/providers/[\w.]+(/[^/\s]+)+", re.IGNORECASE)
BUILT_IN = re.compile(r"/providers/Microsoft\.Authorization/(role|policy)Definitions/", re.IGNORECASE)
IMPLICIT = ("/blobservices/default", "/fileservices/default")
"""Children that are there as soon as their parent is."""


def refuse_missing_references(call: Call) -> None:
    """Raise when the inputs name a resource that does not exist. What the path names is judged as a parent."""
    for text in _strings(call.type.body_inputs(call.inputs)):
        if not RESOURCE.fullmatch(text) or BUILT_IN.search(text):
            continue
        key = key_of(text)
        owner = next((key.removesuffix(child) for child in IMPLICIT if key.endswith(child)), key)
        owner = owner.partition("/subnets/")[0]  # whether a network has the subnet is judged by who wants to be in it
        if call.world.get(owner) is None:
            raise RefusedError(404, "LinkedResourceNotFound", f"'{text}', which '{call.id}' refers to, was not found.")


def referring(call: Call, kind: str, path: str) -> list[str]:
    """Ids of the resources of type `kind` whose input at `path` names the resource of this call."""
    return [
        other.id
        for other in call.world.all(kind)
        if isinstance(value := dig(other.inputs, path), str) and key_of(value) == key_of(call.id) and not other.deleting
    ]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
