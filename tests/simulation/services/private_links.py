"""Private endpoints with their DNS records, and private DNS zones."""

from typing import Any

from tests.simulation.resource_manager.resource_type import Call, ResourceType, dig
from tests.simulation.services.network import ENDPOINT, PROVIDER, ranges_of
from tests.simulation.world import Record, World, key_of

ENDPOINT_PATH = PROVIDER + "/privateEndpoints/{privateEndpointName}"
NAMES = "azure-native:network:PrivateDnsZoneGroup"
ZONE = "azure-native:privatedns:PrivateZone"
ZONE_PATH = PROVIDER + "/privateDnsZones/{privateZoneName}"
LINK = "azure-native:privatedns:VirtualNetworkLink"


def reaches(world: World, network: str, target: Record, group: str) -> bool:
    """Whether `network` reaches `target` through an endpoint of this `group`: peered, linked, and with a DNS record."""
    for endpoint in world.all(ENDPOINT):
        connected = any(
            key_of(one["privateLinkServiceId"]) == key_of(target.id) and group in one["groupIds"]
            for one in endpoint.inputs["privateLinkServiceConnections"]
        )
        if not connected or endpoint.deleting:
            continue
        home = endpoint.inputs["subnet"]["id"].rpartition("/subnets/")[0]
        zones = [zone for names in world.under(endpoint.id) if names.type == NAMES for zone in _zones(names)]
        if zones and all(_linked(world, zone, network) for zone in zones) and peered(world, home, network):
            return True
    return False


def _zones(names: Record) -> list[str]:
    return [config["privateDnsZoneId"] for config in names.inputs["privateDnsZoneConfigs"]]


def _linked(world: World, zone: str, network: str) -> bool:
    return any(
        key_of(one.inputs["virtualNetwork"]["id"]) == key_of(network)
        for one in world.under(zone)
        if one.type == LINK and not one.deleting
    )


def peered(world: World, one: str, other: str) -> bool:
    """Whether two networks are the same, or peered both ways."""
    halves = ((one, other), (other, one))
    return key_of(one) == key_of(other) or all(
        any(
            key_of(dig(part.inputs, "remoteVirtualNetwork.id", "")) == key_of(there)
            for part in world.under(here)
            if part.type.endswith(":VirtualNetworkPeering") and not part.deleting
        )
        for here, there in halves
    )


def _endpoint_outputs(call: Call) -> dict[str, Any]:
    network = call.world.get(call.input("subnet.id").rpartition("/subnets/")[0])
    assert network is not None
    return {"name": call.name, "provisioningState": "Succeeded", "addressSpace": str(ranges_of(network)[0])}


TYPES = [
    ResourceType(
        pulumi_type=ENDPOINT,
        model="azure.mgmt.network.models:PrivateEndpoint",
        path=ENDPOINT_PATH,
        replaces=frozenset({"location", "subnet"}),
        seconds=30,
        outputs=_endpoint_outputs,
    ),
    ResourceType(
        pulumi_type=NAMES,
        model="azure.mgmt.network.models:PrivateDnsZoneGroup",
        path=ENDPOINT_PATH + "/privateDnsZoneGroups/{privateDnsZoneGroupName}",
    ),
    ResourceType(
        pulumi_type=ZONE,
        model="azure.mgmt.privatedns.models:PrivateZone",
        path=ZONE_PATH,
        seconds=15,
    ),
    ResourceType(
        pulumi_type=LINK,
        model="azure.mgmt.privatedns.models:VirtualNetworkLink",
        path=ZONE_PATH + "/virtualNetworkLinks/{virtualNetworkLinkName}",
        replaces=frozenset({"virtualNetwork"}),
        seconds=15,
    ),
    ResourceType(
        pulumi_type="azure-native:privatedns:PrivateRecordSet",
        model="azure.mgmt.privatedns.models:RecordSet",
        path=ZONE_PATH + "/{recordType}/{relativeRecordSetName}",
    ),
]
