"""Refuses to change the node pool that a cluster was created with: AKS can't."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cloud.names import SYSTEM_POOL
from personalize.stack.data_guard import CLUSTER


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
            _refuse(_made(pool), _wanted(settings))


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


def _made(pool: Mapping[str, Any]) -> dict[str, object]:
    return {
        "system_vm_size": pool.get("vmSize"),
        "ephemeral_os_disks": pool.get("osDiskType") == "Ephemeral",
        "zones": sorted(pool.get("availabilityZones") or ()),
    }


def _wanted(settings: AzureSettings) -> dict[str, object]:
    return {
        "system_vm_size": settings.system_vm_size,
        "ephemeral_os_disks": settings.ephemeral_os_disks,
        "zones": sorted(zone.value for zone in settings.zones),
    }


def _shown(value: object) -> str:
    """As a stack file writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
