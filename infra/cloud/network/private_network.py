"""A private stack's own network: its subnets, its NAT gateway, and its peering."""

from dataclasses import dataclass

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import network

from infra.cloud.names import Names
from infra.cloud.site import Site
from infra.network_ranges import Ranges

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
