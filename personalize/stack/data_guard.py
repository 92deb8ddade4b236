"""Refuses to move a stack: Azure can move neither storage nor resources in a network, only delete and recreate them."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings, Network
from infra.cloud.names import names_of

ACCOUNT = "azure-native:storage:StorageAccount"
DATABRICKS = "azure-native:databricks:Workspace"
CLUSTER = "azure-native:containerservice:ManagedCluster"
NETWORK = "azure-native:network:VirtualNetwork"
Resources = Iterable[Mapping[str, Any]]


class DataWouldBeReplacedError(PersonalizationError):
    """Settings for which the stack's storage would be deleted and recreated empty."""


class NetworkWouldChangeError(PersonalizationError):
    """Settings for which Databricks' workspace and the cluster would be deleted and recreated."""


class NamesTakenError(PersonalizationError):
    """Names that Azure keeps for days after their resources were deleted."""


def refuse_to_replace_data(resources: Resources, settings: AzureSettings, stack: str) -> None:
    """Raise `DataWouldBeReplacedError` if these settings move the storage in the state `resources`."""
    for name, location in _moved(resources, settings, stack):
        raise DataWouldBeReplacedError(
            f"The storage account {name} in {location} would be deleted with its data and models: `azure.location` is "
            f"now {settings.location}, `azure.suffix` is {settings.suffix}, and Azure cannot move data. Restore the "
            "settings. Or, to delete the stack and start again, set `azure.suffix` to a new value, since Azure keeps "
            "deleted names for days, and add `--replace-data`."
        )


def begins_anew(resources: Resources, settings: AzureSettings, stack: str) -> bool:
    """Whether these settings move the storage in the state `resources`.

    Raises `NamesTakenError` if the names would stay the same.
    """
    moved = _moved(resources, settings, stack)
    for name, location in moved:
        if name in _wanted(settings, stack):
            raise NamesTakenError(
                f"A stack in {settings.location} can't reuse the names of the one in {location}, such as {name}: Azure "
                f"keeps deleted names for days. Set `azure.suffix` to another value than {settings.suffix}. Nothing "
                "was deleted."
            )
    return bool(moved)


def _moved(resources: Resources, settings: AzureSettings, stack: str) -> list[tuple[str, str]]:
    """Name and location of each storage account that these settings would move."""
    wanted = _wanted(settings, stack)
    accounts = (one["inputs"] for one in resources if one["type"] == ACCOUNT)
    places = [(str(inputs["accountName"]), str(inputs["location"])) for inputs in accounts]
    return [(name, location) for name, location in places if name not in wanted or location != settings.location]


def _wanted(settings: AzureSettings, stack: str) -> set[str]:
    names = names_of(stack, settings)
    return {names.lake, names.workspace_storage}


def refuse_to_change_network(resources: Resources, settings: AzureSettings) -> None:
    """Raise `NetworkWouldChangeError` if the stack in the state `resources` is in another network than its settings
    say.

    A cluster's network cannot change ("Create a private Azure Kubernetes Service cluster"), nor can Databricks', as far
    as Pulumi's provider knows.
    """
    found = {one["type"]: one.get("inputs") or {} for one in resources if one["type"] in {DATABRICKS, CLUSTER, NETWORK}}
    made = _network_made(found, settings)
    if made is None or made == (wanted := _network_of(settings)):
        return
    names = f"the Databricks workspace {found.get(DATABRICKS, {}).get('workspaceName', '')} with its jobs and the "
    names += f"history of their runs, and the cluster {found.get(CLUSTER, {}).get('resourceName', '')} with the service"
    raise NetworkWouldChangeError(
        f"This stack was created with {made}, and the settings say {wanted}. Nothing moves into another network: "
        f"{names}, would be deleted and recreated, with no service meanwhile. Lake, models, images and vault would "
        "stay. Restore the setting. For another network, bring up a stack of another name, then destroy this one."
    )


def _network_of(settings: AzureSettings) -> str:
    if settings.network is Network.PUBLIC:
        return "`azure.network: public`"
    return f"`azure.network: private` and `azure.network_range: {settings.network_range}`"


def _network_made(found: Mapping[str, Mapping[str, Any]], settings: AzureSettings) -> str | None:
    """The settings with which the network was created; None if nothing is in a network yet."""
    if DATABRICKS not in found and CLUSTER not in found:
        return None
    if NETWORK not in found:
        return _network_of(settings.model_copy(update={"network": Network.PUBLIC}))
    (addresses,) = found[NETWORK]["addressSpace"]["addressPrefixes"]
    return _network_of(settings.model_copy(update={"network": Network.PRIVATE, "network_range": addresses}))
