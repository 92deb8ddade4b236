"""Refuses what Azure can't do: move storage or resources in a network, or change a cluster's first node pool."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings, Network
from infra.cloud.names import SYSTEM_POOL, names_of

ACCOUNT = "azure-native:storage:StorageAccount"
DATABRICKS = "azure-native:databricks:Workspace"
CLUSTER = "azure-native:containerservice:ManagedCluster"
NETWORK = "azure-native:network:VirtualNetwork"
Resources = Iterable[Mapping[str, Any]]


def refuse_to_move_storage(resources: Resources, settings: AzureSettings, stack: str) -> None:
    """Raise `PersonalizationError` if these settings move the storage in the state `resources`."""
    names = names_of(stack, settings)
    wanted = (names.lake, names.workspace_storage)
    for inputs in (one["inputs"] for one in resources if one["type"] == ACCOUNT):
        name, location = str(inputs["accountName"]), str(inputs["location"])
        stays = name in wanted and location == settings.location
        if not stays or inputs["resourceGroupName"] != names.training_group:
            raise PersonalizationError(
                f"The storage account {name} in {location} would be deleted with its data and models: `azure.location` "
                f"is now {settings.location}, `azure.suffix` is {settings.suffix}, and Azure cannot move data. Restore "
                "the settings. For another region bring up a stack of another name; or with the restored settings run "
                "`destroy --keep-data`, change them, run `up`, then `import-models`."
            )


def refuse_to_change_network(resources: Resources, settings: AzureSettings) -> None:
    """Raise `PersonalizationError` if the stack in the state `resources` is in another network than the settings say.

    A cluster's network cannot change ("Create a private Azure Kubernetes Service cluster"), nor can Databricks', as far
    as Pulumi's provider knows.
    """
    found = {one["type"]: one.get("inputs") or {} for one in resources}
    if not {DATABRICKS, CLUSTER} & found.keys():
        return  # nothing is in a network yet
    before: dict[str, object] = {"network": Network.PUBLIC}
    if NETWORK in found:
        (addresses,) = found[NETWORK]["addressSpace"]["addressPrefixes"]
        before = {"network": Network.PRIVATE, "network_range": addresses}
    made, wanted = _network(settings.model_copy(update=before)), _network(settings)
    if made != wanted:
        raise PersonalizationError(
            f"This stack was created with {made}, and the settings say {wanted}. Nothing moves into another network: "
            "the Databricks workspace with its jobs and the history of their runs, and the cluster with the service, "
            "would be deleted and recreated, with no service meanwhile. Lake, models, images and vault would stay. "
            "Restore the setting. For another network, bring up a stack of another name, then destroy this one."
        )


def _network(settings: AzureSettings) -> str:
    if settings.network is Network.PUBLIC:
        return "`azure.network: public`"
    return f"`azure.network: private` and `azure.network_range: {settings.network_range}`"


def refuse_to_change_system_nodes(resources: Resources, settings: AzureSettings) -> None:
    """Raise `PersonalizationError` if the system pool in the state `resources` differs from these settings.

    AKS answers such a request with `PropertyChangeNotAllowed` (Azure/bicep-registry-modules#7130), and for zones its
    API says that they can't change after creation. A cluster whose creation failed may get other nodes.
    """
    wanted = {
        "system_vm_size": settings.system_vm_size,
        "zones": sorted(zone.value for zone in settings.zones),
    }
    clusters = (one for one in resources if one["type"] == CLUSTER and not one.get("initErrors"))
    pools = (pool for one in clusters for pool in (one.get("inputs") or {}).get("agentPoolProfiles") or ())
    for pool in pools:
        made = {
            "system_vm_size": pool.get("vmSize"),
            "zones": sorted(pool.get("availabilityZones") or ()),
        }
        if pool.get("name") == SYSTEM_POOL and made != wanted:
            raise PersonalizationError(
                f"The cluster was created with {_settings(made, wanted)}, and the settings say "
                f"{_settings(wanted, made)}. AKS can't change this for a cluster's first node pool; nothing was "
                "changed. Restore the setting. For other nodes for the service set `azure.scoring_nodes_max` and "
                "`azure.scoring_vm_size`; for another cluster bring up a stack of another name, then destroy this one."
            )


def _settings(values: Mapping[str, object], others: Mapping[str, object]) -> str:
    """Those that differ from the others, as a stack file writes them."""
    return ", ".join(f"`azure.{name}: {value}`" for name, value in values.items() if value != others[name])
