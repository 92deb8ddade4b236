"""DNS in a private stack's network: a zone for each kind of endpoint, and one for the service.

In networks that are linked to the zones, Azure's public names resolve to private addresses:
`lake.blob.core.windows.net` is an alias of `lake.privatelink.blob.core.windows.net`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import privatedns

from infra.cloud.site import Site

EVERYWHERE = "global"
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


class PrivateNames(pulumi.ComponentResource):
    """The zones by name, and their links. DNS records, such as the service's `record`, wait for the links."""

    def __init__(self, name: str, args: PrivateNamesArgs, opts: ResourceOptions | None = None) -> None:
        """Create the zones, their links and the service's record."""
        super().__init__("personalization:azure:PrivateNames", name, None, opts)
        self._site, self._own = args.site, ResourceOptions(parent=self)
        self.zones = {zone: self._zone(zone) for zone in (*args.zones, args.host)}
        self.links: dict[str, list[pulumi.Resource]] = {
            zone: [self._link(zone, link, network) for link, network in args.networks.items()] for zone in self.zones
        }
        """By zone."""
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

    def _zone(self, zone: str) -> privatedns.PrivateZone:
        return privatedns.PrivateZone(
            f"zone-{zone}",
            private_zone_name=zone,
            resource_group_name=self._site.group,
            location=EVERYWHERE,
            tags=self._site.tags,
            opts=self._own,
        )

    def _link(self, zone: str, link: str, network: Input[str]) -> privatedns.VirtualNetworkLink:
        return privatedns.VirtualNetworkLink(
            f"{link}-{zone}",
            virtual_network_link_name=link,
            private_zone_name=self.zones[zone].name,
            resource_group_name=self._site.group,
            location=EVERYWHERE,
            virtual_network=privatedns.SubResourceArgs(id=network),
            registration_enabled=False,
            tags=self._site.tags,
            opts=self._own,
        )
