"""The refusal to move a stack unasked: Azure moves neither storage nor what lies in a network, but makes them anew."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings, Network
from infra.cloud.names import Names

ACCOUNT = "azure-native:storage:StorageAccount"
DATABRICKS = "azure-native:databricks:Workspace"
CLUSTER = "azure-native:containerservice:ManagedCluster"
NETWORK = "azure-native:network:VirtualNetwork"
Resources = Iterable[Mapping[str, Any]]


class DataWouldBeReplacedError(PersonalizationError):
    """Settings for which the stack's storage would be deleted and made anew, empty."""


class NetworkWouldChangeError(PersonalizationError):
    """Settings for which Databricks' workspace and the cluster would be deleted and made anew."""


class NamesTakenError(PersonalizationError):
    """Names that Azure keeps for days after what had them is deleted."""


def refuse_to_replace_data(resources: Resources, settings: AzureSettings, stack: str) -> None:
    """Raise `DataWouldBeReplacedError` when these settings put the storage in the state `resources` elsewhere."""
    for name, location in _moved(resources, settings, stack):
        raise DataWouldBeReplacedError(
            f"The storage account {name} in {location} would be deleted with everything in it, models too: "
            f"`azure.location` is {settings.location}, `azure.suffix` is {settings.suffix}, and Azure moves no "
            "data. Put the settings back. Or, to delete all of the stack and begin anew, set `azure.suffix` to a new "
            "value, as Azure keeps deleted names for days, and give `--replace-data`."
        )


def begins_anew(resources: Resources, settings: AzureSettings, stack: str) -> bool:
    """Whether these settings put the storage in the state `resources` elsewhere.

    Raises `NamesTakenError` when it would have the same names there.
    """
    moved = _moved(resources, settings, stack)
    for name, location in moved:
        if name in _wanted(settings, stack):
            raise NamesTakenError(
                f"A stack in {settings.location} can't have the names of the one in {location}, {name} for one: Azure "
                f"keeps deleted names for days. Set `azure.suffix` to another value than {settings.suffix}; nothing "
                "was deleted yet."
            )
    return bool(moved)


def _moved(resources: Resources, settings: AzureSettings, stack: str) -> list[tuple[str, str]]:
    """Name and location of each storage account that is not where these settings want it."""
    wanted = _wanted(settings, stack)
    accounts = (resource["inputs"] for resource in resources if resource["type"] == ACCOUNT)
    places = [(str(inputs["accountName"]), str(inputs["location"])) for inputs in accounts]
    return [(name, location) for name, location in places if name not in wanted or location != settings.location]


def _wanted(settings: AzureSettings, stack: str) -> set[str]:
    names = Names(stack=stack, subscription=settings.subscription, suffix=settings.suffix)
    return {names.lake, names.workspace_storage}


def refuse_to_change_network(resources: Resources, settings: AzureSettings) -> None:
    """Raise `NetworkWouldChangeError` when the stack in the state `resources` is not in the network of its settings.

    The cluster's network is fixed when it is made ("Create a private Azure Kubernetes Service cluster"), and so is
    Databricks' as far as Pulumi's provider knows it.
    """
    found = {one["type"]: one.get("inputs") or {} for one in resources if one["type"] in {DATABRICKS, CLUSTER, NETWORK}}
    made = _network_made(found, settings)
    if made is None or made == (wanted := _network_of(settings)):
        return
    names = f"the Databricks workspace {found.get(DATABRICKS, {}).get('workspaceName', '')} with its jobs and the "
    names += f"history of their runs, and the cluster {found.get(CLUSTER, {}).get('resourceName', '')} with the service"
    raise NetworkWouldChangeError(
        f"This stack was made with {made}, and the settings say {wanted}. Nothing moves into another network: {names}, "
        "would be deleted and made anew, and nothing would answer meanwhile. Lake, models, images and vault would "
        "stay. Put the setting back; for another network, bring up a stack of another name, then destroy this one."
    )


def _network_of(settings: AzureSettings) -> str:
    if settings.network is Network.PUBLIC:
        return "`azure.network: public`"
    return f"`azure.network: private` and `azure.network_range: {settings.network_range}`"


def _network_made(found: Mapping[str, Mapping[str, Any]], settings: AzureSettings) -> str | None:
    """What the settings were when the stack was made; None where there is nothing yet that lies in a network."""
    if DATABRICKS not in found and CLUSTER not in found:
        return None
    if NETWORK not in found:
        return _network_of(settings.model_copy(update={"network": Network.PUBLIC}))
    (addresses,) = found[NETWORK]["addressSpace"]["addressPrefixes"]
    return _network_of(settings.model_copy(update={"network": Network.PRIVATE, "network_range": addresses}))
