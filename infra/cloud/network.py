"""The network of a private stack: subnets, NAT gateway and peering, DNS names, and private endpoints.

In networks that are linked to its DNS zones, Azure's public names resolve to private addresses:
`lake.blob.core.windows.net` is an alias of `lake.privatelink.blob.core.windows.net`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import network, privatedns

from infra.cloud.cluster import cluster_network
from infra.cloud.databricks import DatabricksNetwork
from infra.cloud.names import Names
from infra.cloud.site import Site
from infra.private import LINKS, ZONES, Ranges, Service, divided
from infra.step_resource import Group

CLUSTER = "cluster"
DATABRICKS_HOSTS = "databricks-hosts"
DATABRICKS_CONTAINERS = "databricks-containers"
ENDPOINTS = "endpoints"
SERVICE = "service"
DATABRICKS = "Microsoft.Databricks/workspaces"


class PrivateNetwork(pulumi.ComponentResource):
    """The network. Nothing in it has a public address; connections to the internet use the NAT gateway's."""

    def __init__(self, site: Site, names: Names, opts: ResourceOptions, *, ranges: Ranges, peered_network: str) -> None:
        """Create the NAT gateway, the network and its peering with the network of this ID, in the same subscription."""
        super().__init__("personalization:azure:PrivateNetwork", "private-network", None, opts)
        own = ResourceOptions(parent=self)
        address = network.PublicIPAddress(
            "nat-address",
            public_ip_address_name=names.part("nat"),
            resource_group_name=site.group,
            location=site.location,
            sku=network.PublicIPAddressSkuArgs(name=network.PublicIPAddressSkuName.STANDARD),
            public_ip_allocation_method=network.IPAllocationMethod.STATIC,
            public_ip_address_version=network.IPVersion.I_PV4,
            tags=site.tags,
            opts=own,
        )
        gateway = network.NatGateway(
            "nat-gateway",
            nat_gateway_name=names.part("nat"),
            resource_group_name=site.group,
            location=site.location,
            sku=network.NatGatewaySkuArgs(name=network.NatGatewaySkuName.STANDARD),
            public_ip_addresses=[network.SubResourceArgs(id=address.id)],
            tags=site.tags,
            opts=own,
        )
        # Databricks' subnets must have a security group; Databricks itself adds the rules that it needs.
        rules = network.NetworkSecurityGroup(
            "databricks-rules",
            network_security_group_name=names.part("databricks"),
            resource_group_name=site.group,
            location=site.location,
            tags=site.tags,
            opts=ResourceOptions(parent=self, ignore_changes=["securityRules"]),
        )
        out = network.SubResourceArgs(id=gateway.id)
        training = {
            "nat_gateway": out,
            "network_security_group": network.NetworkSecurityGroupArgs(id=rules.id),
            "delegations": [network.DelegationArgs(name="databricks", service_name=DATABRICKS)],
        }
        # With its subnets in one request, because Azure accepts one change of a network at a time.
        made = network.VirtualNetwork(
            "network",
            virtual_network_name=names.network,
            resource_group_name=site.group,
            location=site.location,
            address_space=network.AddressSpaceArgs(address_prefixes=[str(ranges.network)]),
            subnets=[
                _subnet(CLUSTER, str(ranges.cluster), nat_gateway=out),
                _subnet(DATABRICKS_HOSTS, str(ranges.databricks_hosts), **training),
                _subnet(DATABRICKS_CONTAINERS, str(ranges.databricks_containers), **training),
                _subnet(ENDPOINTS, str(ranges.endpoints)),
                _subnet(SERVICE, str(ranges.service)),
            ],
            tags=site.tags,
            opts=own,
        )
        self.id = made.id
        # Both halves of the peering, one after the other, because each changes both networks.
        half = network.VirtualNetworkPeering(
            "peering",
            virtual_network_peering_name=names.network,
            resource_group_name=site.group,
            virtual_network_name=made.name,
            remote_virtual_network=network.SubResourceArgs(id=peered_network),
            allow_virtual_network_access=True,
            opts=own,
        )
        parts = peered_network.split("/")
        self.peered = network.VirtualNetworkPeering(
            "peering-back",
            virtual_network_peering_name=names.network,
            resource_group_name=parts[4],
            virtual_network_name=parts[8],
            remote_virtual_network=network.SubResourceArgs(id=self.id),
            allow_virtual_network_access=True,
            opts=ResourceOptions(parent=self, depends_on=[half]),
        )
        """The second half, after which it works both ways."""
        self.register_outputs({})

    def subnet(self, name: str) -> Output[str]:
        """The ID of a subnet."""
        return Output.concat(self.id, "/subnets/", name)


def _subnet(name: str, addresses: str, **more: object) -> network.SubnetArgs:
    """A subnet whose machines reach the internet only by a NAT gateway."""
    return network.SubnetArgs(name=name, address_prefix=addresses, default_outbound_access=False, **more)  # type: ignore[arg-type]  # checked by the callers' own types


EVERYWHERE = "global"
OWN = "own"
"""The link of the stack's own network."""
SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A DNS zone, the stack's own or a given one, and the name of its resource group."""

    id: Input[str]
    name: Input[str]
    group: str


class PrivateNames(pulumi.ComponentResource):
    """The zones by name, and their links. DNS records, such as the service's `record`, wait for the links."""

    def __init__(
        self,
        site: Site,
        opts: ResourceOptions,
        *,
        networks: Mapping[str, Input[str]],
        host: str,
        address: str,
        given: str | None,
        link: str,
    ) -> None:
        """Create the zones of Azure's services, their links to `networks`, and the record of the service's host.

        `networks` are IDs by link name. `given` is the ID of a resource group that has the services' zones already,
        linked to the other networks, and `link` the name of the link of the stack's own network to those: other stacks
        may be linked to them as well.
        """
        super().__init__("personalization:azure:PrivateNames", "private-names", None, opts)
        self._site, self._own = site, ResourceOptions(parent=self)
        existing = ZONES if given else ()
        self.zones = {zone: self._made(zone) for zone in (*ZONES, host) if zone not in existing}
        self.zones |= {zone: _existing(zone, str(given)) for zone in existing}
        self.links: dict[str, list[pulumi.Resource]] = {}
        """By zone."""
        for zone, found in self.zones.items():
            names = {OWN: link} if zone in existing else {called: called for called in networks}
            self.links[zone] = [
                self._link(f"{called}-{zone}", found, physical, networks[called]) for called, physical in names.items()
            ]
        self.record = privatedns.PrivateRecordSet(
            "service-name",
            resource_group_name=site.group,
            private_zone_name=self.zones[host].name,
            record_type="A",
            relative_record_set_name="@",
            ttl=SECONDS,
            a_records=[privatedns.ARecordArgs(ipv4_address=address)],
            opts=ResourceOptions(parent=self, depends_on=self.links[host]),
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


def private_endpoints(
    site: Site,
    names: Names,
    opts: ResourceOptions,
    *,
    subnet: Input[str],
    zones: PrivateNames,
    peered: pulumi.Resource,
    services: Mapping[Service, Input[str]],
) -> list[pulumi.Resource]:
    """The endpoints of `services`, which are IDs. Their usual names work once all that is returned exists.

    `peered` is the peering by which the other network reaches the endpoints.
    """
    group = Group("azure:PrivateEndpoints", "private-endpoints", opts)
    named: list[pulumi.Resource] = []
    last: dict[Service, pulumi.Resource] = {}
    for link in LINKS:
        physical, before = names.part(link.name), last.get(link.service)
        # One after the other for each service, which accepts one change at a time.
        last[link.service] = endpoint = network.PrivateEndpoint(
            f"endpoint-{link.name}",
            private_endpoint_name=physical,
            custom_network_interface_name=physical,
            resource_group_name=site.group,
            location=site.location,
            subnet=network.SubnetArgs(id=subnet),
            private_link_service_connections=[
                network.PrivateLinkServiceConnectionArgs(
                    name=link.name, private_link_service_id=services[link.service], group_ids=[link.group]
                )
            ],
            tags=site.tags,
            opts=ResourceOptions(parent=group, depends_on=[before] if before else []),
        )
        links = [one for zone in link.zones for one in zones.links[zone]]
        named.append(
            network.PrivateDnsZoneGroup(
                f"names-{link.name}",
                private_dns_zone_group_name="default",
                private_endpoint_name=endpoint.name,
                resource_group_name=site.group,
                private_dns_zone_configs=[
                    network.PrivateDnsZoneConfigArgs(
                        name=zone.replace(".", "-"), private_dns_zone_id=zones.zones[zone].id
                    )
                    for zone in link.zones
                ],
                opts=ResourceOptions(parent=group, depends_on=[peered, *links]),
            )
        )
    return named


class PrivateStack:
    """The network, which is created first, and its endpoints, once their services exist."""

    def __init__(
        self,
        site: Site,
        names: Names,
        opts: ResourceOptions,
        *,
        subscription: str,
        network_range: str,
        peered_network: str,
        private_dns_zones: str | None,
    ) -> None:
        """Create the network and what the cluster needs in it.

        `peered_network` is the ID of the network from which the stack is deployed and used, `private_dns_zones` that of
        a resource group that has the zones of all services already.
        """
        self._site, self._names, self._opts = site, names, opts
        self._peered, self._zones = peered_network, private_dns_zones
        ranges = divided(network_range)
        self.service_address = str(ranges.service_address)
        """The address of the service's load balancer."""
        self._network = PrivateNetwork(site, names, opts, ranges=ranges, peered_network=peered_network)
        self.databricks = DatabricksNetwork(
            id=self._network.id, hosts=DATABRICKS_HOSTS, containers=DATABRICKS_CONTAINERS
        )
        self.cluster = cluster_network(
            site,
            opts,
            name=names.cluster_identity,
            subscription=subscription,
            nodes=self._network.subnet(CLUSTER),
            service=self._network.subnet(SERVICE),
        )

    def reached(self, services: Mapping[Service, Input[str]]) -> list[pulumi.Resource]:
        """Create the endpoints. Calls to a service from the peered network must wait for what is returned."""
        zones = PrivateNames(
            self._site,
            self._opts,
            networks={OWN: self._network.id, "peered": self._peered},
            given=self._zones,
            link=self._names.network,
            host=self._names.private_host,
            address=self.service_address,
        )
        named = private_endpoints(
            self._site,
            self._names,
            self._opts,
            subnet=self._network.subnet(ENDPOINTS),
            zones=zones,
            peered=self._network.peered,
            services=services,
        )
        return [*named, zones.record]
