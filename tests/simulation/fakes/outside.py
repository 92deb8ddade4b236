"""Where callers are: a service without public access answers only callers that reach one of its private endpoints."""

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import dig
from tests.simulation.services.network import NETWORK
from tests.simulation.services.private_links import peered, reaches
from tests.simulation.world import Record, World


def answers(world: World, caller: str | None, target: Record, group: str) -> bool:
    """Whether `target` answers `caller`: it's public, or its private endpoint is reachable from the caller's
    network."""
    access = target.inputs.get("publicNetworkAccess") or dig(target.inputs, "properties.publicNetworkAccess")
    denied = dig(target.inputs, "networkRuleSet.defaultAction") == "Deny" and not _by_rule(world, caller, target)
    if access != "Disabled" and not denied:
        return True
    return any(reaches(world, place, target, group) for place in _places(world, caller))


def _by_rule(world: World, caller: str | None, target: Record) -> bool:
    """Whether a storage account's firewall has a rule for the resource whose identity calls."""
    for rule in dig(target.inputs, "networkRuleSet.resourceAccessRules") or ():
        resource = world.get(rule["resourceId"])
        if resource is not None and caller and dig(resource.outputs, "identity.principalId") == caller:
            return True
    return False


def refuse_outside(world: World, caller: str | None, target: Record, group: str) -> None:
    """Raise if `target` doesn't answer `caller`."""
    if not answers(world, caller, target, group):
        message = f"Public network access of '{target.id}' is disabled, and this call came by none of its endpoints."
        raise RefusedError(403, "PublicNetworkAccessDisabled", message)


def api_server_heard(world: World, caller: str, cluster: Record) -> bool:
    """Whether `caller` reaches the API server: a private one has an address in the nodes' network."""
    if not dig(cluster.inputs, "apiServerAccessProfile.enablePrivateCluster"):
        return True
    (subnet,) = {pool["vnetSubnetID"] for pool in cluster.inputs["agentPoolProfiles"]}
    home = subnet.rpartition("/subnets/")[0]
    return any(peered(world, home, place) for place in _places(world, caller))


def _places(world: World, caller: str | None) -> list[str]:
    """A caller's network: the setting `place` for deployers, the stack's own network for clusters and pods."""
    deployers = {entry["object_id"] for entry in world.setting("deployers")}
    if caller in deployers:
        return [world.setting("place")] if world.setting("place") else []
    return [network.id for network in world.all(NETWORK) if network.id != world.setting("place")]
