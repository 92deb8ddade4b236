"""Virtual networks with subnets, peerings and NAT gateways, and the security group of Databricks' subnets."""

import ipaddress
from typing import Any

from tests.simulation.resource_manager.resource_type import ResourceType, dig
from tests.simulation.services.resources import GROUP
from tests.simulation.world import Record, World

PROVIDER = GROUP + "/providers/Microsoft.Network"
NETWORK = "azure-native:network:VirtualNetwork"
PEERING = "azure-native:network:VirtualNetworkPeering"
ENDPOINT = "azure-native:network:PrivateEndpoint"
GATEWAY = "azure-native:network:NatGateway"


def ranges_of(network: Record) -> list[ipaddress.IPv4Network]:
    """The address space of a network."""
    return [ipaddress.IPv4Network(text) for text in dig(network.inputs, "addressSpace.addressPrefixes", [])]


def subnet_of(world: World, identity: str) -> dict[str, Any] | None:
    """The subnet with this id; None if it doesn't exist or its network is being deleted."""
    network, _, name = identity.rpartition("/subnets/")
    found = world.get(network)
    if found is None or found.deleting:
        return None
    return next((one for one in found.inputs.get("subnets", []) if one["name"].lower() == name.lower()), None)


def _network_serial(identity: str) -> str:
    """A network and its peerings accept one write at a time."""
    return identity.partition("/virtualNetworkPeerings/")[0]


TYPES = [
    ResourceType(
        pulumi_type="azure-native:network:PublicIPAddress",
        model="azure.mgmt.network.models:PublicIPAddress",
        path=PROVIDER + "/publicIPAddresses/{publicIpAddressName}",
        replaces=frozenset({"location"}),
    ),
    ResourceType(
        pulumi_type=GATEWAY,
        model="azure.mgmt.network.models:NatGateway",
        path=PROVIDER + "/natGateways/{natGatewayName}",
        replaces=frozenset({"location"}),
    ),
    ResourceType(
        pulumi_type="azure-native:network:NetworkSecurityGroup",
        model="azure.mgmt.network.models:NetworkSecurityGroup",
        path=PROVIDER + "/networkSecurityGroups/{networkSecurityGroupName}",
        replaces=frozenset({"location"}),
    ),
    ResourceType(
        pulumi_type=NETWORK,
        model="azure.mgmt.network.models:VirtualNetwork",
        path=PROVIDER + "/virtualNetworks/{virtualNetworkName}",
        replaces=frozenset({"location"}),
        serial=_network_serial,
    ),
    ResourceType(
        pulumi_type=PEERING,
        model="azure.mgmt.network.models:VirtualNetworkPeering",
        path=PROVIDER + "/virtualNetworks/{virtualNetworkName}/virtualNetworkPeerings/{virtualNetworkPeeringName}",
        serial=_network_serial,
    ),
]
