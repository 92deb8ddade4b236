"""Private endpoints with their DNS records, and private DNS zones."""

import re
from collections.abc import Mapping
from typing import Any

from tests.simulation.published import LINK_GROUPS
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType, dig
from tests.simulation.services.network import ENDPOINT, NAME, PROVIDER, ranges_of, subnet_of
from tests.simulation.world import Record, World, key_of

ENDPOINT_PATH = PROVIDER + "/privateEndpoints/{privateEndpointName}"
NAMES = "azure-native:network:PrivateDnsZoneGroup"
ZONE = "azure-native:privatedns:PrivateZone"
ZONE_PATH = PROVIDER + "/privateDnsZones/{privateZoneName}"
LINK = "azure-native:privatedns:VirtualNetworkLink"
LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"


def _refuse_connection(call: Call) -> None:
    """The group must be one of the service's, and a registry of the tier that supports endpoints."""
    for connection in call.input("privateLinkServiceConnections", []):
        target = call.world.get(connection["privateLinkServiceId"])
        if target is None:
            continue  # said elsewhere
        groups = LINK_GROUPS.get(target.type, {})
        wrong = [group for group in connection.get("groupIds", []) if group not in groups]
        if wrong or not connection.get("groupIds"):
            message = f"{target.id} has no group {wrong or 'without a name'}; one of {sorted(groups)}."
            raise RefusedError(400, "PrivateEndpointCannotBeCreatedInvalidGroupId", message)
        if target.type.endswith(":Registry") and dig(target.inputs, "sku.name") != "Premium":
            raise RefusedError(400, "SkuNotSupported", "Private endpoints need a registry of tier Premium.")


def _refuse_subnet(call: Call) -> None:
    subnet = subnet_of(call.world, call.input("subnet.id", ""))
    if subnet is None:
        raise RefusedError(404, "LinkedResourceNotFound", f"There is no subnet {call.input('subnet.id')}.")
    if subnet.get("delegations"):
        message = f"The subnet '{subnet['name']}' is delegated, and takes no private endpoint."
        raise RefusedError(400, "PrivateEndpointCannotBeCreatedInSubnetThatIsDelegated", message)


def _refuse_zones(call: Call) -> None:
    """Each zone must be one that Microsoft lists for the endpoint's group: no other would resolve the name."""
    endpoint = call.world.get(call.id.rpartition("/privateDnsZoneGroups/")[0])
    if endpoint is None:
        return
    wanted: set[str] = set()
    for connection in endpoint.inputs["privateLinkServiceConnections"]:
        target = call.world.get(connection["privateLinkServiceId"])
        groups: Mapping[str, tuple[str, ...]] = LINK_GROUPS.get(target.type, {}) if target else {}
        wanted |= {zone for group in connection["groupIds"] for zone in groups.get(group, ())}
    given = {config["privateDnsZoneId"].rpartition("/")[2] for config in call.input("privateDnsZoneConfigs", [])}
    if given != wanted:
        raise RefusedError(400, "InvalidPrivateDnsZoneIds", f"The zones are {sorted(given)}, and not {sorted(wanted)}.")


def _refuse_zone_name(call: Call) -> None:
    labels = call.name.split(".")
    if not 2 <= len(labels) <= 34 or not all(re.fullmatch(LABEL, label) for label in labels):
        raise RefusedError(400, "BadRequest", f"'{call.name}' is no name of a private zone.")


def _refuse_linked_zone(call: Call) -> None:
    links = [one for one in call.world.under(call.id) if one.type == LINK and not one.deleting]
    if links:
        raise RefusedError(409, "CannotDeleteResource", f"{call.id} still has the link {links[0].id}.")


def _refuse_second_link(call: Call) -> None:
    """A network can be linked to one zone of each name, and once."""
    zone = call.id.split("/")[-3].lower()
    network = key_of(call.input("virtualNetwork.id", ""))
    for other in call.world.all(LINK):
        same = other.id.split("/")[-3].lower() == zone and key_of(other.inputs["virtualNetwork"]["id"]) == network
        if same and key_of(other.id) != key_of(call.id) and not other.deleting:
            message = f"A zone '{zone}' is linked to {network} already, by {other.id}."
            raise RefusedError(409, "Conflict", message)


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


def _named(call: Call) -> dict[str, Any]:
    return {"name": call.name, "provisioningState": "Succeeded"}


TYPES = [
    ResourceType(
        pulumi_type=ENDPOINT,
        model="azure.mgmt.network.models:PrivateEndpoint",
        path=ENDPOINT_PATH,
        name=NAME,
        replaces=frozenset({"location", "subnet"}),
        seconds=30,
        rules=(_refuse_subnet, _refuse_connection),
        outputs=_endpoint_outputs,
    ),
    ResourceType(
        pulumi_type=NAMES,
        model="azure.mgmt.network.models:PrivateDnsZoneGroup",
        path=ENDPOINT_PATH + "/privateDnsZoneGroups/{privateDnsZoneGroupName}",
        rules=(_refuse_zones,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type=ZONE,
        model="azure.mgmt.privatedns.models:PrivateZone",
        path=ZONE_PATH,
        name=NameRule(pattern=r"[\w.-]+", shortest=1, longest=63),
        seconds=15,
        rules=(_refuse_zone_name,),
        delete_rules=(_refuse_linked_zone,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type=LINK,
        model="azure.mgmt.privatedns.models:VirtualNetworkLink",
        path=ZONE_PATH + "/virtualNetworkLinks/{virtualNetworkLinkName}",
        name=NAME,
        replaces=frozenset({"virtualNetwork"}),
        seconds=15,
        rules=(_refuse_second_link,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type="azure-native:privatedns:PrivateRecordSet",
        model="azure.mgmt.privatedns.models:RecordSet",
        path=ZONE_PATH + "/{recordType}/{relativeRecordSetName}",
        outputs=lambda call: {"name": call.name},
    ),
]
