"""Virtual networks, private endpoints with their DNS records, and who reaches what through them.

A service without public access answers only callers that reach one of its private endpoints.
"""

from collections.abc import Mapping
from typing import Any

from tests.simulation.cloud import dig
from tests.simulation.world import Record, RefusedError, World, key_of

NETWORK = "azure-native:network:VirtualNetwork"
PEERING = "azure-native:network:VirtualNetworkPeering"
ENDPOINT = "azure-native:network:PrivateEndpoint"
NAMES = "azure-native:network:PrivateDnsZoneGroup"
LINK = "azure-native:privatedns:VirtualNetworkLink"


def has_subnet(world: World, identity: str) -> bool:
    """Whether there is a subnet with this id, in a network that isn't being deleted."""
    network, _, name = identity.rpartition("/subnets/")
    found = world.get(network)
    if found is None or found.deleting:
        return False
    return any(one["name"].lower() == name.lower() for one in found.inputs.get("subnets", []))


def refuse_outside(world: World, caller: str | None, target: Record, group: str) -> None:
    """Raise unless `target` answers `caller`: it's public, or the caller's network reaches an endpoint of this
    `group`."""
    access = target.inputs.get("publicNetworkAccess") or dig(target.inputs, "properties.publicNetworkAccess")
    denied = dig(target.inputs, "networkRuleSet.defaultAction") == "Deny" and not _by_rule(world, caller, target)
    closed = access == "Disabled" or denied
    if closed and not any(_reaches(world, place, target, group) for place in _places(world, caller)):
        message = f"Public network access of '{target.id}' is disabled, and this call came by none of its endpoints."
        raise RefusedError(403, "PublicNetworkAccessDisabled", message)


def api_server_heard(world: World, caller: str, cluster: Record) -> bool:
    """Whether `caller` reaches the API server: a private one has an address in the nodes' network."""
    if not dig(cluster.inputs, "apiServerAccessProfile.enablePrivateCluster"):
        return True
    (subnet,) = {pool["vnetSubnetID"] for pool in cluster.inputs["agentPoolProfiles"]}
    return any(_peered(world, _network_of(subnet), place) for place in _places(world, caller))


def _by_rule(world: World, caller: str | None, target: Record) -> bool:
    """Whether a storage account's firewall has a rule for the resource whose identity calls."""
    rules = dig(target.inputs, "networkRuleSet.resourceAccessRules") or ()
    allowed = filter(None, (world.get(rule["resourceId"]) for rule in rules))
    return caller in {dig(resource.outputs, "identity.principalId", "nobody") for resource in allowed}


def _places(world: World, caller: str | None) -> list[str]:
    """A caller's network: the setting `place` for deployers, the stack's own network for clusters and pods."""
    deployers = {entry["object_id"] for entry in world.setting("deployers")}
    if caller in deployers:
        return [world.setting("place")] if world.setting("place") else []
    return [network.id for network in world.all(NETWORK) if network.id != world.setting("place")]


def _reaches(world: World, network: str, target: Record, group: str) -> bool:
    """Whether `network` reaches `target` through an endpoint of this `group`: peered, linked, and with a DNS record."""
    for endpoint in world.all(ENDPOINT):
        connected = any(
            key_of(one["privateLinkServiceId"]) == key_of(target.id) and group in one["groupIds"]
            for one in endpoint.inputs["privateLinkServiceConnections"]
        )
        if not connected or endpoint.deleting:
            continue
        zones = [
            config["privateDnsZoneId"]
            for names in world.under(endpoint.id)
            if names.type == NAMES
            for config in names.inputs["privateDnsZoneConfigs"]
        ]
        linked = zones and all(_has(world, zone, LINK, "virtualNetwork.id", network) for zone in zones)
        if linked and _peered(world, _network_of(endpoint.inputs["subnet"]["id"]), network):
            return True
    return False


def _peered(world: World, one: str, other: str) -> bool:
    """Whether two networks are the same, or peered both ways."""
    return key_of(one) == key_of(other) or all(
        _has(world, here, PEERING, "remoteVirtualNetwork.id", there) for here, there in ((one, other), (other, one))
    )


def _has(world: World, parent: str, kind: str, path: str, target: str) -> bool:
    """Whether there is a resource of type `kind` in `parent` whose input at `path` is the id `target`."""
    return any(
        key_of(dig(one.inputs, path, "")) == key_of(target)
        for one in world.under(parent)
        if one.type == kind and not one.deleting
    )


def _network_of(subnet: str) -> str:
    return subnet.rpartition("/subnets/")[0]


RULES: Mapping[str, Mapping[str, Any]] = {
    ENDPOINT: {"replaces": frozenset({"subnet"}), "seconds": 30},
    "azure-native:privatedns:PrivateZone": {"seconds": 15},
    LINK: {"replaces": frozenset({"virtualNetwork"}), "seconds": 15},
}
