"""How a private stack's range of addresses is divided into subnets, and what it may not overlap with.

No SDK is imported here: the settings are checked with it on every machine.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.0.0.0/16"
"""Both exist inside the cluster alone, and hide what has the same addresses outside from its pods."""
LARGEST_PREFIX, SMALLEST_PREFIX = 16, 23
"""Databricks takes networks from /16 to /24 and subnets of at least /26 ("Deploy Azure Databricks in your Azure virtual
network"); a subnet here is an eighth of the network."""
PARTS_BITS = 3
NODES_BESIDE = 3
"""Addresses that a cluster needs beside its nodes': one more in each pool while it is renewed, and the API server's."""
KEPT_BY_AZURE = 5
"""Addresses of each subnet that nobody else gets: the first four and the last ("Azure Virtual Network FAQ")."""


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """The subnets of one network, each an eighth of it; the rest is free."""

    network: IPv4Network
    cluster: IPv4Network
    """AKS's nodes, one address each: pods have addresses of their own (`POD_RANGE`)."""
    databricks_hosts: IPv4Network
    databricks_containers: IPv4Network
    """Each node of a training cluster has one address in both."""
    endpoints: IPv4Network
    service: IPv4Network
    """The service's load balancer."""

    @property
    def service_address(self) -> IPv4Address:
        """Where the service is: the first address of its subnet that Azure does not keep."""
        return self.service[KEPT_BY_AZURE - 1]


def divided(text: str) -> Ranges:
    """The subnets of a network such as "10.100.0.0/16".

    Raises `ValueError` for what is no network, is too small or too large, or overlaps the cluster's own ranges.
    """
    network = IPv4Network(text)
    if not LARGEST_PREFIX <= network.prefixlen <= SMALLEST_PREFIX:
        raise ValueError(f"network_range is {text}: it must be from /{LARGEST_PREFIX} to /{SMALLEST_PREFIX}")
    if not network.is_private:
        raise ValueError(f"network_range is {text}, which are addresses of the internet: choose private ones")
    for inside in (POD_RANGE, SERVICE_RANGE):
        if network.overlaps(IPv4Network(inside)):
            raise ValueError(f"network_range is {text} and overlaps {inside}, which the cluster's insides have")
    cluster, hosts, containers, endpoints, service, *_ = network.subnets(PARTS_BITS)
    return Ranges(
        network=network,
        cluster=cluster,
        databricks_hosts=hosts,
        databricks_containers=containers,
        endpoints=endpoints,
        service=service,
    )


def require_places(text: str, *, nodes: int, machines: int) -> None:
    """Raise `ValueError` unless network `text` has room for a cluster's nodes, and for the machines of a training."""
    ranges = divided(text)
    for wanted, subnet in ((nodes + NODES_BESIDE, ranges.cluster), (machines, ranges.databricks_hosts)):
        free = subnet.num_addresses - KEPT_BY_AZURE
        if wanted > free:
            raise ValueError(f"network_range {text} has {free} addresses for {wanted} nodes: widen it")
