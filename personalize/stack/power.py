"""Stops and starts a stack's cluster, whose nodes are the highest cost."""

from enum import StrEnum

from azure_clients.resource_manager import ResourceManager
from infra.azure_settings import AzureSettings
from infra.cloud.names import names_of

VERSION = "2025-09-01"


class Power(StrEnum):
    """The power state of a cluster, as Azure names it."""

    RUNNING = "Running"
    STOPPED = "Stopped"


def cluster_path(stack: str, settings: AzureSettings) -> str:
    """The Resource Manager's path of the stack's cluster."""
    names = names_of(stack, settings)
    group = settings.group_id(names.serving_group)
    return f"{group}/providers/Microsoft.ContainerService/managedClusters/{names.cluster}"


def power_of(manager: ResourceManager, path: str) -> Power | None:
    """The power state of the cluster, None if there is no cluster. Raises `ManagerRefusedError`."""
    cluster = manager.get(path, VERSION)
    if cluster is None:
        return None
    state = (cluster["properties"].get("powerState") or {}).get("code")
    return Power.STOPPED if state == Power.STOPPED else Power.RUNNING


def switch(manager: ResourceManager, path: str, wanted: Power) -> bool:
    """Stop or start the cluster, and wait for it. Returns False if it is in the wanted state already.

    Raises `ManagerRefusedError`, also if there is no cluster.
    """
    if power_of(manager, path) is wanted:
        return False
    manager.post(f"{path}/{'stop' if wanted is Power.STOPPED else 'start'}", VERSION)
    return True
