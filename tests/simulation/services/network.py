"""Virtual networks with subnets, peerings and NAT gateways, and the security group of Databricks' subnets."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType, dig
from tests.simulation.services.resources import GROUP
from tests.simulation.world import Record, World, key_of

PROVIDER = GROUP + "/providers/Microsoft.Network"
NETWORK = "azure-native:network:VirtualNetwork"
PEERING = "azure-native:network:VirtualNetworkPeering"
ENDPOINT = "azure-native:network:PrivateEndpoint"
GATEWAY = "azure-native:network:NatGateway"
NAME = NameRule(pattern=r"[A-Za-z0-9][\w.-]*\w", shortest=2, longest=64)
DATABRICKS = "azure-native:databricks:Workspace"
CLUSTER = "azure-native:containerservice:ManagedCluster"
USERS = (
    (DATABRICKS, "parameters.customVirtualNetworkId.value"),
    (ENDPOINT, "subnet.id"),
    ("azure-native:privatedns:VirtualNetworkLink", "virtualNetwork.id"),
    ("azure-native:containerservice:AgentPool", "vnetSubnetID"),
)


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


def _refuse_used_network(call: Call) -> None:
    users = [one for one in _users(call.world) if key_of(one[1]).startswith(key_of(call.id))]
    if users:
        message = f"{call.id} is in use by {users[0][0]}."
        raise RefusedError(400, "InUseSubnetCannotBeDeleted", message)


def _users(world: World) -> Iterator[tuple[str, str]]:
    """What is in networks: its id, and where it is."""
    for kind, path in USERS:
        for record in world.all(kind):
            if isinstance(where := dig(record.inputs, path), str) and not record.deleting:
                yield record.id, where
    for cluster in world.all(CLUSTER):
        for pool in cluster.inputs.get("agentPoolProfiles", []):
            if pool.get("vnetSubnetID") and not cluster.deleting:
                yield cluster.id, pool["vnetSubnetID"]


def _refuse_used_part(call: Call) -> None:
    """A gateway, its address or a security group can't be deleted while it's in use."""
    for network in call.world.all(NETWORK):
        for subnet in network.inputs.get("subnets", []):
            used = (dig(subnet, "natGateway.id"), dig(subnet, "networkSecurityGroup.id"))
            if not network.deleting and key_of(call.id) in {key_of(one) for one in used if one}:
                raise RefusedError(400, "InUseCannotBeDeleted", f"{call.id} is in use by {network.id}.")
    for gateway in call.world.all(GATEWAY):
        used_addresses = {key_of(one["id"]) for one in gateway.inputs.get("publicIpAddresses", [])}
        if not gateway.deleting and key_of(call.id) in used_addresses:
            raise RefusedError(400, "PublicIPAddressCannotBeDeleted", f"{call.id} is in use by {gateway.id}.")


def _named(call: Call) -> dict[str, Any]:
    return {"name": call.name, "provisioningState": "Succeeded"}


def _network_serial(identity: str) -> str:
    """A network and its peerings accept one write at a time."""
    return identity.partition("/virtualNetworkPeerings/")[0]


TYPES = [
    ResourceType(
        pulumi_type="azure-native:network:PublicIPAddress",
        model="azure.mgmt.network.models:PublicIPAddress",
        path=PROVIDER + "/publicIPAddresses/{publicIpAddressName}",
        name=NAME,
        replaces=frozenset({"location"}),
        delete_rules=(_refuse_used_part,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type=GATEWAY,
        model="azure.mgmt.network.models:NatGateway",
        path=PROVIDER + "/natGateways/{natGatewayName}",
        name=NAME,
        replaces=frozenset({"location"}),
        delete_rules=(_refuse_used_part,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type="azure-native:network:NetworkSecurityGroup",
        model="azure.mgmt.network.models:NetworkSecurityGroup",
        path=PROVIDER + "/networkSecurityGroups/{networkSecurityGroupName}",
        name=NAME,
        replaces=frozenset({"location"}),
        delete_rules=(_refuse_used_part,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type=NETWORK,
        model="azure.mgmt.network.models:VirtualNetwork",
        path=PROVIDER + "/virtualNetworks/{virtualNetworkName}",
        name=NAME,
        replaces=frozenset({"location"}),
        delete_rules=(_refuse_used_network,),
        outputs=_named,
        serial=_network_serial,
    ),
    ResourceType(
        pulumi_type=PEERING,
        model="azure.mgmt.network.models:VirtualNetworkPeering",
        path=PROVIDER + "/virtualNetworks/{virtualNetworkName}/virtualNetworkPeerings/{virtualNetworkPeeringName}",
        name=NAME,
        outputs=_named,
        serial=_network_serial,
    ),
]
