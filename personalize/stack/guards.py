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


class SystemNodesWouldChangeError(PersonalizationError):
    """Settings with which the cluster's system pool would change in a way that AKS refuses."""


def refuse_to_change_system_nodes(resources: Iterable[Mapping[str, Any]], settings: AzureSettings) -> None:
    """Raise `SystemNodesWouldChangeError` if the system pool in the state `resources` differs from these settings.

    AKS answers such a request with `PropertyChangeNotAllowed` (Azure/bicep-registry-modules#7130), and for zones and
    disks its API says that they can't change after creation. A cluster whose creation failed may get other nodes.
    """
    made = (one for one in resources if one["type"] == CLUSTER and not one.get("initErrors"))
    clusters = [one.get("inputs") or {} for one in made]
    pools = [pool for cluster in clusters for pool in cluster.get("agentPoolProfiles") or ()]
    for pool in pools:
        if pool.get("name") == SYSTEM_POOL:
            _refuse(_made_pool(pool), _wanted_pool(settings))


def _refuse(made: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    changed = [name for name in wanted if made[name] != wanted[name]]
    if not changed:
        return
    before, after = (", ".join(f"`azure.{name}: {_shown(side[name])}`" for name in changed) for side in (made, wanted))
    raise SystemNodesWouldChangeError(
        f"The cluster was created with {before}, and the settings say {after}. AKS can't change this for a cluster's "
        "first node pool; nothing was changed. Restore the setting. For other nodes for the service set "
        "`azure.scoring_nodes_max` and `azure.scoring_vm_size`; for another cluster bring up a stack of another name, "
        "then destroy this one."
    )


def _made_pool(pool: Mapping[str, Any]) -> dict[str, object]:
    return {
        "system_vm_size": pool.get("vmSize"),
        "ephemeral_os_disks": pool.get("osDiskType") == "Ephemeral",
        "zones": sorted(pool.get("availabilityZones") or ()),
    }


def _wanted_pool(settings: AzureSettings) -> dict[str, object]:
    return {
        "system_vm_size": settings.system_vm_size,
        "ephemeral_os_disks": settings.ephemeral_os_disks,
        "zones": sorted(zone.value for zone in settings.zones),
    }


def _shown(value: object) -> str:
    """As a stack file writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
