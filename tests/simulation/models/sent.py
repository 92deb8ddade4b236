"""What a stack sends to Azure and to its cluster, in wire format: one entry for each resource."""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.infra.graph.recorder import SECRET_MARK
from tests.simulation.models.walker import body_of, shape_of
from tests.simulation.resource_manager.resource_type import ResourceType
from tests.simulation.services.catalogue import TYPES

API_VERSION = re.compile(r"Uses Azure REST API version ([\w-]+)")
GROUPS = "Microsoft.Resources/resourceGroups"
OTHERS = ("kubernetes:", "databricks:")


def sent(resources: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The bodies of `resources`, given as Pulumi types with their inputs; secrets are replaced by a word.

    Azure's have the resource's type and API version; for the others, the inputs are the manifests.
    """
    for kind, inputs in resources:
        if kind in TYPES:
            known = TYPES[kind]
            body, unknown = body_of(known.body_inputs(_plain(inputs)), shape_of(known.model), known.aliases)
            assert not unknown, f"{kind}: {unknown}"
            yield {"type": f"{azure_type(known)}@{api_version(kind)}", "body": body}
        elif kind.startswith(OTHERS):
            yield {"type": kind, "body": _plain(inputs)}


def azure_type(known: ResourceType) -> str:
    """Such as `Microsoft.Storage/storageAccounts/blobServices/containers`."""
    _, found, rest = known.path.rpartition("/providers/")
    if not found:
        return GROUPS
    namespace, *parts = rest.split("/")
    return "/".join([namespace, *parts[::2]])


def api_version(kind: str) -> str:
    """The API version that azure-native uses for a type, from the class's docstring in the SDK."""
    _, module, name = kind.split(":")
    found = API_VERSION.search(
        inspect.getsource(getattr(importlib.import_module(f"pulumi_azure_native.{module}"), name))
    )
    assert found is not None, kind
    return found[1]


def _plain(value: Any) -> Any:
    """The inputs without secrets and without Pulumi's own fields."""
    if isinstance(value, Mapping):
        if SECRET_MARK in value:
            return _masked(value["value"]) if "value" in value else "secret"
        return {name: _plain(inner) for name, inner in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _masked(value: Any) -> Any:
    return {name: _masked(inner) for name, inner in value.items()} if isinstance(value, Mapping) else "secret"
