"""The private endpoints of a private stack, with their DNS zones. Imports no SDK.

Groups and zones are those of Microsoft's "Azure Private Endpoint private DNS zone values" for the public cloud.
"""

from dataclasses import dataclass
from enum import StrEnum

BLOB = "privatelink.blob.core.windows.net"
FILE = "privatelink.file.core.windows.net"
LAKE = "privatelink.dfs.core.windows.net"
VAULT = "privatelink.vaultcore.azure.net"
REGISTRY = "privatelink.azurecr.io"
MACHINE_LEARNING = "privatelink.api.azureml.ms"
NOTEBOOKS = "privatelink.notebooks.azure.net"
DATABRICKS = "privatelink.azuredatabricks.net"
ZONES = (BLOB, FILE, LAKE, VAULT, REGISTRY, MACHINE_LEARNING, NOTEBOOKS, DATABRICKS)


class Service(StrEnum):
    """A resource with private endpoints."""

    LAKE = "lake"
    WORKSPACE_STORAGE = "workspace-storage"
    VAULT = "vault"
    REGISTRY = "registry"
    MACHINE_LEARNING = "machine-learning"
    DATABRICKS = "databricks"


@dataclass(frozen=True)
class Link:
    """One endpoint: to a part of a service, which Azure calls its group, with the DNS zones of its names."""

    name: str
    service: Service
    group: str
    zones: tuple[str, ...]


LINKS = (
    Link("lake-blob", Service.LAKE, "blob", (BLOB,)),
    Link("lake-dfs", Service.LAKE, "dfs", (LAKE,)),
    Link("ml-blob", Service.WORKSPACE_STORAGE, "blob", (BLOB,)),
    Link("ml-file", Service.WORKSPACE_STORAGE, "file", (FILE,)),
    Link("vault", Service.VAULT, "vault", (VAULT,)),
    Link("registry", Service.REGISTRY, "registry", (REGISTRY,)),
    Link("models", Service.MACHINE_LEARNING, "amlworkspace", (MACHINE_LEARNING, NOTEBOOKS)),
    Link("databricks", Service.DATABRICKS, "databricks_ui_api", (DATABRICKS,)),
    Link("databricks-sign-in", Service.DATABRICKS, "browser_authentication", (DATABRICKS,)),
)
"""Azure ML keeps its own files in blobs and in a file share. Databricks' second endpoint is for browser sign-in."""
