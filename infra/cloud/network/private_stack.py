"""Everything that only a private stack has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions

from infra.azure_settings import AzureSettings
from infra.cloud.names import Names
from infra.cloud.network.private_endpoints import PrivateEndpoints, PrivateEndpointsArgs
from infra.cloud.network.private_names import OWN, PrivateNames, PrivateNamesArgs
from infra.cloud.network.private_network import (
    CLUSTER,
    DATABRICKS_CONTAINERS,
    DATABRICKS_HOSTS,
    ENDPOINTS,
    SERVICE,
    PrivateNetwork,
    PrivateNetworkArgs,
)
from infra.cloud.serving.cluster_network import ClusterNetwork, ClusterNetworkArgs
from infra.cloud.site import Site
from infra.cloud.training.databricks import DatabricksNetwork
from infra.network_ranges import divided
from infra.private_links import ZONES, Service


@dataclass(frozen=True, kw_only=True)
class PrivateStackArgs:
    """The stack's settings and names, and the location of its network."""

    site: Site
    settings: AzureSettings
    names: Names


class PrivateStack:
    """The network, which is created first, and its endpoints, once their services exist."""

    def __init__(self, args: PrivateStackArgs, opts: ResourceOptions) -> None:
        """Create the network and what the cluster needs in it."""
        self._args, self._opts = args, opts
        self._ranges = divided(args.settings.network_range)
        self.service_address = str(self._ranges.service_address)
        """The address of the service's load balancer."""
        self._peered = str(args.settings.peered_network)
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
                subscription=args.settings.subscription,
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
                given=self._args.settings.private_dns_zones,
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
