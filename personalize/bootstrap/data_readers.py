"""What the owners of containers do so that a stack can read its data there: they give its readers one role.

A stack assigns no role outside of its own groups, and its deployers may not either.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from azure_clients.resource_manager import ResourceManager
from infra.azure_settings import PrincipalType
from infra.cloud.names import Names
from personalize.bootstrap.groups import group_paths
from personalize.bootstrap.rights import BLOB_READER, ROLE_NAMES

if TYPE_CHECKING:
    from training.datasets.placed.address import Address

CONNECTOR_VERSION = "2024-05-01"


def connector(names: Names, manager: ResourceManager) -> str | None:
    """The object ID of the identity with which Databricks reads data; None before the first `up`."""
    path = f"{group_paths(names)[0]}/providers/Microsoft.Databricks/accessConnectors/{names.connector}"
    identity = (manager.get(path, CONNECTOR_VERSION) or {}).get("identity") or {}
    return identity.get("principalId")


def reader_commands(places: "Iterable[Address]", readers: Mapping[str, PrincipalType]) -> list[str]:
    """The Azure CLI's commands for the owner of the accounts, one for each container and object ID of a reader."""
    containers = sorted({(place.account, place.container) for place in places})
    return [
        f"az role assignment create --role '{ROLE_NAMES[BLOB_READER]}' --assignee-object-id {reader} "
        f'--assignee-principal-type {kind.value} --scope "$(az storage account show --name {account} --query id '
        f'--output tsv)/blobServices/default/containers/{container}"'
        for account, container in containers
        for reader, kind in readers.items()
    ]
