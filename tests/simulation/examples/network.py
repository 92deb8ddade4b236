"""Valid inputs of a private network with its endpoints and DNS zones, in creation order."""

from typing import Any

from tests.simulation.examples.names import GROUP, HERE, IN_GROUP, LAKE, SUBSCRIPTION

PARTS = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
NETWORK = f"{PARTS}/virtualNetworks/network"
OTHER = f"{PARTS}/virtualNetworks/other"
ZONE = "privatelink.blob.core.windows.net"
GATEWAY = {"natGateway": {"id": f"{PARTS}/natGateways/nat"}}
DATABRICKS = {
    **GATEWAY,
    "delegations": [{"name": "databricks", "serviceName": "Microsoft.Databricks/workspaces"}],
    "networkSecurityGroup": {"id": f"{PARTS}/networkSecurityGroups/rules"},
}

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    (
        "azure-native:network:PublicIPAddress",
        {**HERE, "publicIpAddressName": "nat", "sku": {"name": "Standard"}, "publicIPAllocationMethod": "Static"},
    ),
    (
        "azure-native:network:NatGateway",
        {
            **HERE,
            "natGatewayName": "nat",
            "sku": {"name": "Standard"},
            "publicIpAddresses": [{"id": f"{PARTS}/publicIPAddresses/nat"}],
        },
    ),
    ("azure-native:network:NetworkSecurityGroup", {**HERE, "networkSecurityGroupName": "rules"}),
    (
        "azure-native:network:VirtualNetwork",
        {
            **HERE,
            "virtualNetworkName": "network",
            "addressSpace": {"addressPrefixes": ["10.100.0.0/16"]},
            "subnets": [
                {"name": "cluster", "addressPrefix": "10.100.0.0/19", **GATEWAY},
                {"name": "hosts", "addressPrefix": "10.100.32.0/19", **DATABRICKS},
                {"name": "containers", "addressPrefix": "10.100.64.0/19", **DATABRICKS},
                {"name": "endpoints", "addressPrefix": "10.100.96.0/19"},
            ],
        },
    ),
    (
        "azure-native:network:VirtualNetwork",
        {**HERE, "virtualNetworkName": "other", "addressSpace": {"addressPrefixes": ["10.50.0.0/16"]}},
    ),
    (
        "azure-native:network:VirtualNetworkPeering",
        {
            **IN_GROUP,
            "virtualNetworkName": "network",
            "virtualNetworkPeeringName": "other",
            "remoteVirtualNetwork": {"id": OTHER},
        },
    ),
    ("azure-native:privatedns:PrivateZone", {**IN_GROUP, "privateZoneName": ZONE, "location": "global"}),
    (
        "azure-native:privatedns:VirtualNetworkLink",
        {
            **IN_GROUP,
            "privateZoneName": ZONE,
            "virtualNetworkLinkName": "own",
            "location": "global",
            "virtualNetwork": {"id": NETWORK},
            "registrationEnabled": False,
        },
    ),
    (
        "azure-native:privatedns:PrivateRecordSet",
        {
            **IN_GROUP,
            "privateZoneName": ZONE,
            "recordType": "A",
            "relativeRecordSetName": "by-hand",
            "ttl": 300,
            "aRecords": [{"ipv4Address": "10.100.96.9"}],
        },
    ),
    (
        "azure-native:network:PrivateEndpoint",
        {
            **HERE,
            "privateEndpointName": "lake-blob",
            "subnet": {"id": f"{NETWORK}/subnets/endpoints"},
            "privateLinkServiceConnections": [{"name": "lake", "privateLinkServiceId": LAKE, "groupIds": ["blob"]}],
        },
    ),
    (
        "azure-native:network:PrivateDnsZoneGroup",
        {
            **IN_GROUP,
            "privateEndpointName": "lake-blob",
            "privateDnsZoneGroupName": "default",
            "privateDnsZoneConfigs": [
                {"name": "blob", "privateDnsZoneId": f"{PARTS}/privateDnsZones/{ZONE}"},
            ],
        },
    ),
]
