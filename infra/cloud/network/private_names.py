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
