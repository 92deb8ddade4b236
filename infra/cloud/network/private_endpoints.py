"""Private endpoints: an address in the network for each part of a service, with its DNS name."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import network

from infra.cloud.names import Names
from infra.cloud.network.private_names import PrivateNames
from infra.cloud.site import Site
from infra.private_links import LINKS, Link, Service


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
