"""The network of a private stack: subnets, NAT gateway and peering, DNS names, and private endpoints.

In networks that are linked to its DNS zones, Azure's public names resolve to private addresses:
`lake.blob.core.windows.net` is an alias of `lake.privatelink.blob.core.windows.net`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import network, privatedns

from infra.cloud.cluster import ClusterNetwork, ClusterNetworkArgs
from infra.cloud.databricks import DatabricksNetwork
from infra.cloud.names import Names
from infra.cloud.site import Site
from infra.private import LINKS, ZONES, Link, Ranges, Service, divided

CLUSTER = "cluster"
DATABRICKS_HOSTS = "databricks-hosts"
DATABRICKS_CONTAINERS = "databricks-containers"
ENDPOINTS = "endpoints"
SERVICE = "service"
DATABRICKS = "Microsoft.Databricks/workspaces"


@dataclass(frozen=True, kw_only=True)
class PrivateNetworkArgs:
    """The network's location and address ranges, and the network that it is peered with."""

    site: Site
    names: Names
    ranges: Ranges
    peered_network: str
    """Its ID, in the same subscription."""


class PrivateNetwork(pulumi.ComponentResource):
    """The network. Nothing in it has a public address; connections to the internet use the NAT gateway's."""

    def __init__(self, name: str, args: PrivateNetworkArgs, opts: ResourceOptions | None = None) -> None:
        """Create the NAT gateway, the network and its peering."""
        super().__init__("personalization:azure:PrivateNetwork", name, None, opts)
        self._args = args
        self._own = ResourceOptions(parent=self)
        self.network = self._network(self._way_out(), self._rules())
        self.id = self.network.id
        self.peered = self._peering()
        """The second half of the peering, after which it works both ways."""
        self.register_outputs({"network": self.id})

    def subnet(self, name: str) -> Output[str]:
        """The ID of a subnet."""
        return Output.concat(self.id, "/subnets/", name)

    def _way_out(self) -> network.NatGateway:
        site, physical = self._args.site, self._args.names.of_network("nat")
        address = network.PublicIPAddress(
            "nat-address",
            public_ip_address_name=physical,
            resource_group_name=site.group,
            location=site.location,
            sku=network.PublicIPAddressSkuArgs(name=network.PublicIPAddressSkuName.STANDARD),
            public_ip_allocation_method=network.IPAllocationMethod.STATIC,
            public_ip_address_version=network.IPVersion.I_PV4,
            tags=site.tags,
            opts=self._own,
        )
        return network.NatGateway(
            "nat-gateway",
            nat_gateway_name=physical,
            resource_group_name=site.group,
            location=site.location,
            sku=network.NatGatewaySkuArgs(name=network.NatGatewaySkuName.STANDARD),
            public_ip_addresses=[network.SubResourceArgs(id=address.id)],
            tags=site.tags,
            opts=self._own,
        )

    def _rules(self) -> network.NetworkSecurityGroup:
        """Databricks' subnets must have a security group; Databricks itself adds the rules that it needs."""
        return network.NetworkSecurityGroup(
            "databricks-rules",
            network_security_group_name=self._args.names.of_network("databricks"),
            resource_group_name=self._args.site.group,
            location=self._args.site.location,
            tags=self._args.site.tags,
            opts=ResourceOptions(parent=self, ignore_changes=["securityRules"]),
        )

    def _network(self, gateway: network.NatGateway, rules: network.NetworkSecurityGroup) -> network.VirtualNetwork:
        """With its subnets in one request, because Azure accepts one change of a network at a time."""
        ranges = self._args.ranges
        out = network.SubResourceArgs(id=gateway.id)
        training = {
            "nat_gateway": out,
            "network_security_group": network.NetworkSecurityGroupArgs(id=rules.id),
            "delegations": [network.DelegationArgs(name="databricks", service_name=DATABRICKS)],
        }
        return network.VirtualNetwork(
            "network",
            virtual_network_name=self._args.names.network,
            resource_group_name=self._args.site.group,
            location=self._args.site.location,
            address_space=network.AddressSpaceArgs(address_prefixes=[str(ranges.network)]),
            subnets=[
                _subnet(CLUSTER, str(ranges.cluster), nat_gateway=out),
                _subnet(DATABRICKS_HOSTS, str(ranges.databricks_hosts), **training),
                _subnet(DATABRICKS_CONTAINERS, str(ranges.databricks_containers), **training),
                _subnet(ENDPOINTS, str(ranges.endpoints)),
                _subnet(SERVICE, str(ranges.service)),
            ],
            tags=self._args.site.tags,
            opts=self._own,
        )

    def _peering(self) -> network.VirtualNetworkPeering:
        """Both halves, one after the other, because each changes both networks."""
        args, (group, other) = self._args, _group_and_name(self._args.peered_network)
        half = network.VirtualNetworkPeering(
            "peering",
            virtual_network_peering_name=args.names.network,
            resource_group_name=args.site.group,
            virtual_network_name=self.network.name,
            remote_virtual_network=network.SubResourceArgs(id=args.peered_network),
            allow_virtual_network_access=True,
            opts=self._own,
        )
        return network.VirtualNetworkPeering(
            "peering-back",
            virtual_network_peering_name=args.names.network,
            resource_group_name=group,
            virtual_network_name=other,
            remote_virtual_network=network.SubResourceArgs(id=self.id),
            allow_virtual_network_access=True,
            opts=ResourceOptions(parent=self, depends_on=[half]),
        )


def _subnet(name: str, addresses: str, **more: object) -> network.SubnetArgs:
    """A subnet whose machines reach the internet only by a NAT gateway."""
    return network.SubnetArgs(name=name, address_prefix=addresses, default_outbound_access=False, **more)  # type: ignore[arg-type]  # checked by the callers' own types


def _group_and_name(identity: str) -> tuple[str, str]:
    parts = identity.split("/")
    return parts[4], parts[8]


EVERYWHERE = "global"
OWN = "own"
"""The link of the stack's own network."""
SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class PrivateNamesArgs:
    """The zones, the networks that they are linked to, and the service's name, which has no endpoint."""

    site: Site
    zones: Sequence[str]
    networks: dict[str, Input[str]]
    """IDs of networks, by link name."""
    host: str
    address: str
    """The service's."""
    given: str | None
    """The ID of a resource group that has `zones` already, linked to the other networks."""
    link: str
    """The name of the link of the stack's own network to a given zone, which other stacks may be linked to as well."""


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A DNS zone, the stack's own or a given one, and the name of its resource group."""

    id: Input[str]
    name: Input[str]
    group: str


class PrivateNames(pulumi.ComponentResource):
    """The zones by name, and their links. DNS records, such as the service's `record`, wait for the links."""

    def __init__(self, name: str, args: PrivateNamesArgs, opts: ResourceOptions | None = None) -> None:
        """Create the zones, their links and the service's record."""
        super().__init__("personalization:azure:PrivateNames", name, None, opts)
        self._site, self._own = args.site, ResourceOptions(parent=self)
        given = args.zones if args.given else ()
        self.zones = {zone: self._made(zone) for zone in (*args.zones, args.host) if zone not in given}
        self.zones |= {zone: _existing(zone, str(args.given)) for zone in given}
        self.links: dict[str, list[pulumi.Resource]] = {}
        """By zone."""
        for zone, found in self.zones.items():
            names = {OWN: args.link} if zone in given else {link: link for link in args.networks}
            self.links[zone] = [
                self._link(f"{link}-{zone}", found, physical, args.networks[link]) for link, physical in names.items()
            ]
        self.record = privatedns.PrivateRecordSet(
            "service-name",
            resource_group_name=args.site.group,
            private_zone_name=self.zones[args.host].name,
            record_type="A",
            relative_record_set_name="@",
            ttl=SECONDS,
            a_records=[privatedns.ARecordArgs(ipv4_address=args.address)],
            opts=ResourceOptions(parent=self, depends_on=self.links[args.host]),
        )
        self.register_outputs({})

    def _made(self, zone: str) -> Zone:
        made = privatedns.PrivateZone(
            f"zone-{zone}",
            private_zone_name=zone,
            resource_group_name=self._site.group,
            location=EVERYWHERE,
            tags=self._site.tags,
            opts=self._own,
        )
        return Zone(id=made.id, name=made.name, group=self._site.group)

    def _link(self, name: str, zone: Zone, physical: str, network: Input[str]) -> privatedns.VirtualNetworkLink:
        return privatedns.VirtualNetworkLink(
            name,
            virtual_network_link_name=physical,
            private_zone_name=zone.name,
            resource_group_name=zone.group,
            location=EVERYWHERE,
            virtual_network=privatedns.SubResourceArgs(id=network),
            registration_enabled=False,
            tags=self._site.tags,
            opts=self._own,
        )


def _existing(zone: str, group: str) -> Zone:
    """A zone in the resource group with this ID."""
    path = f"{group}/providers/Microsoft.Network/privateDnsZones/{zone}"
    return Zone(id=path, name=zone, group=group.rpartition("/")[2])


@dataclass(frozen=True, kw_only=True)
class PrivateEndpointsArgs:
    """The endpoints' subnet and DNS zones, and their services."""

    site: Site
    names: Names
    subnet: Input[str]
    zones: PrivateNames
    peered: pulumi.Resource
    """The peering by which the other network reaches the endpoints."""
    services: Mapping[Service, Input[str]]
    """IDs."""


class PrivateEndpoints(pulumi.ComponentResource):
    """The endpoints. Services can be reached by their usual names when all of `named` exist."""

    def __init__(self, name: str, args: PrivateEndpointsArgs, opts: ResourceOptions | None = None) -> None:
        """Create all of them."""
        super().__init__("personalization:azure:PrivateEndpoints", name, None, opts)
        self._args = args
        self.named: list[pulumi.Resource] = []
        last: dict[Service, pulumi.Resource] = {}
        for link in LINKS:
            before = last.get(link.service)
            last[link.service] = endpoint = self._endpoint(link, [before] if before else [])
            self.named.append(self._named(link, endpoint))
        self.register_outputs({})

    def _endpoint(self, link: Link, before: list[pulumi.Resource]) -> network.PrivateEndpoint:
        """One after the other for each service, which accepts one change at a time."""
        physical, site = self._args.names.of_network(link.name), self._args.site
        return network.PrivateEndpoint(
            f"endpoint-{link.name}",
            private_endpoint_name=physical,
            custom_network_interface_name=physical,
            resource_group_name=site.group,
            location=site.location,
            subnet=network.SubnetArgs(id=self._args.subnet),
            private_link_service_connections=[
                network.PrivateLinkServiceConnectionArgs(
                    name=link.name,
                    private_link_service_id=self._args.services[link.service],
                    group_ids=[link.group],
                )
            ],
            tags=site.tags,
            opts=ResourceOptions(parent=self, depends_on=before),
        )

    def _named(self, link: Link, endpoint: network.PrivateEndpoint) -> network.PrivateDnsZoneGroup:
        links = [one for zone in link.zones for one in self._args.zones.links[zone]]
        return network.PrivateDnsZoneGroup(
            f"names-{link.name}",
            private_dns_zone_group_name="default",
            private_endpoint_name=endpoint.name,
            resource_group_name=self._args.site.group,
            private_dns_zone_configs=[
                network.PrivateDnsZoneConfigArgs(
                    name=zone.replace(".", "-"), private_dns_zone_id=self._args.zones.zones[zone].id
                )
                for zone in link.zones
            ],
            opts=ResourceOptions(parent=self, depends_on=[self._args.peered, *links]),
        )


@dataclass(frozen=True, kw_only=True)
class PrivateStackArgs:
    """The location, names and addresses of the stack's network, and the one that it is peered with."""

    site: Site
    names: Names
    subscription: str
    network_range: str
    peered_network: str
    """The ID of the network from which the stack is deployed and used."""
    private_dns_zones: str | None
    """The ID of a resource group that has the zones of all services already."""


class PrivateStack:
    """The network, which is created first, and its endpoints, once their services exist."""

    def __init__(self, args: PrivateStackArgs, opts: ResourceOptions) -> None:
        """Create the network and what the cluster needs in it."""
        self._args, self._opts = args, opts
        self._ranges = divided(args.network_range)
        self.service_address = str(self._ranges.service_address)
        """The address of the service's load balancer."""
        self._peered = args.peered_network
        self._network = PrivateNetwork(
            "private-network",
            PrivateNetworkArgs(site=args.site, names=args.names, ranges=self._ranges, peered_network=self._peered),
            opts,
        )
        self.databricks = DatabricksNetwork(
            id=self._network.id, hosts=DATABRICKS_HOSTS, containers=DATABRICKS_CONTAINERS
        )
        self.cluster = ClusterNetwork(
            "cluster-network",
            ClusterNetworkArgs(
                site=args.site,
                name=args.names.cluster_identity,
                subscription=args.subscription,
                nodes=self._network.subnet(CLUSTER),
                service=self._network.subnet(SERVICE),
            ),
            opts,
        )

    def reached(self, services: Mapping[Service, Input[str]]) -> Sequence[pulumi.Resource]:
        """Create the endpoints. Calls to a service from the peered network must wait for what is returned."""
        site = self._args.site
        names = PrivateNames(
            "private-names",
            PrivateNamesArgs(
                site=site,
                zones=ZONES,
                networks={OWN: self._network.id, "peered": self._peered},
                given=self._args.private_dns_zones,
                link=self._args.names.network,
                host=self._args.names.private_host,
                address=self.service_address,
            ),
            self._opts,
        )
        endpoints = PrivateEndpoints(
            "private-endpoints",
            PrivateEndpointsArgs(
                site=site,
                names=self._args.names,
                subnet=self._network.subnet(ENDPOINTS),
                zones=names,
                peered=self._network.peered,
                services=services,
            ),
            self._opts,
        )
        return [*endpoints.named, names.record]
