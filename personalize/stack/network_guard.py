"""The refusal to move a stack into another network: what lies in one can't be moved, and would be made anew."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings, Network

DATABRICKS = "azure-native:databricks:Workspace"
CLUSTER = "azure-native:containerservice:ManagedCluster"
NETWORK = "azure-native:network:VirtualNetwork"
Resources = Iterable[Mapping[str, Any]]


class NetworkWouldChangeError(PersonalizationError):
    """Settings for which Databricks' workspace and the cluster would be deleted and made anew."""


def refuse_to_change_network(resources: Resources, settings: AzureSettings) -> None:
    """Raise `NetworkWouldChangeError` when the stack in the state `resources` is not in the network of its settings.

    The cluster's network is fixed when it is made ("Create a private Azure Kubernetes Service cluster"), and so is
    Databricks' as far as Pulumi's provider knows it.
    """
    found = {one["type"]: one.get("inputs") or {} for one in resources if one["type"] in {DATABRICKS, CLUSTER, NETWORK}}
    made = _setting_of(found, settings)
    if made is None or made == (wanted := _wanted(settings)):
        return
    names = f"the Databricks workspace {found.get(DATABRICKS, {}).get('workspaceName', '')} with its jobs and the "
    names += f"history of their runs, and the cluster {found.get(CLUSTER, {}).get('resourceName', '')} with the service"
    raise NetworkWouldChangeError(
        f"This stack was made with {made}, and the settings say {wanted}. Nothing moves into another network: {names}, "
        "would be deleted and made anew, and nothing would answer meanwhile. Lake, models, images and vault would "
        "stay. Put the setting back; for another network, bring up a stack of another name, then destroy this one."
    )


def _wanted(settings: AzureSettings) -> str:
    if settings.network is Network.PUBLIC:
        return "`azure.network: public`"
    return f"`azure.network: private` and `azure.network_range: {settings.network_range}`"


def _setting_of(found: Mapping[str, Mapping[str, Any]], settings: AzureSettings) -> str | None:
    """What the settings were when the stack was made; None where there is nothing yet that lies in a network."""
    if DATABRICKS not in found and CLUSTER not in found:
        return None
    if NETWORK not in found:
        return _wanted(settings.model_copy(update={"network": Network.PUBLIC}))
    (addresses,) = found[NETWORK]["addressSpace"]["addressPrefixes"]
    return _wanted(settings.model_copy(update={"network": Network.PRIVATE, "network_range": addresses}))
