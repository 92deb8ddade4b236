"""Resource ids inside a body: Azure checks that most of them exist."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call
from tests.simulation.world import key_of

RESOURCE = re.compile(r"/subscriptions/[^/\s]+(/resourceGroups/[^/\s]+)?/providers/[\w.]+(/[^/\s]+)+", re.IGNORECASE)
BUILT_IN = re.compile(r"/providers/Microsoft\.Authorization/(role|policy)Definitions/", re.IGNORECASE)
IMPLICIT = ("/blobservices/default", "/fileservices/default")
"""Children that exist as soon as their parent does."""


def refuse_missing_references(call: Call) -> None:
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
