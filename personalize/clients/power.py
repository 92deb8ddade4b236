"""Stops and starts a stack's cluster: its nodes are what costs most, and nobody needs a test stack at night."""

from enum import StrEnum

from azure_clients.resource_manager import ResourceManager
from infra.azure_settings import AzureSettings
from infra.cloud.names import Names

VERSION = "2025-09-01"


class Power(StrEnum):
    """Whether a cluster runs, in Azure's words."""

    RUNNING = "Running"
    STOPPED = "Stopped"


def cluster_path(stack: str, settings: AzureSettings) -> str:
    """Where the stack's cluster is."""
    names = Names(stack=stack, subscription=settings.subscription, suffix=settings.suffix)
    group = f"/subscriptions/{settings.subscription}/resourceGroups/{names.serving_group}"
    return f"{group}/providers/Microsoft.ContainerService/managedClusters/{names.cluster}"


def power_of(manager: ResourceManager, path: str) -> Power | None:
    """Whether the cluster runs, None when there is none; raises `ManagerRefusedError`."""
    cluster = manager.get(path, VERSION)
    if cluster is None:
        return None
    state = (cluster["properties"].get("powerState") or {}).get("code")
    return Power.STOPPED if state == Power.STOPPED else Power.RUNNING


def switch(manager: ResourceManager, path: str, wanted: Power) -> bool:
    """Stop or start the cluster and wait until that is done; False when it is as wanted already.

    Raises `ManagerRefusedError`, for a cluster that is not there as well.
    """
    if power_of(manager, path) is wanted:
        return False
    manager.post(f"{path}/{'stop' if wanted is Power.STOPPED else 'start'}", VERSION)
    return True
