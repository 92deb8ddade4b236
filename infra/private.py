"""What only a private stack has: an address range, divided into subnets, and private endpoints with their DNS zones.

Imports no SDK, because settings are checked on every machine. Groups and zones are those of Microsoft's "Azure Private
Endpoint private DNS zone values" for the public cloud.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.0.0.0/16"
"""Both exist only inside the cluster, whose pods can't reach the same addresses outside of it."""
LARGEST_PREFIX, SMALLEST_PREFIX = 16, 23
"""Databricks accepts networks from /16 to /24 and subnets of at least /26 ("Deploy Azure Databricks in your Azure
virtual network"); a subnet here is an eighth of the network."""
PARTS_BITS = 3
NODES_BESIDE = 3
"""Addresses that a cluster needs in addition to its nodes': a surge node for each pool, and the API server."""
KEPT_BY_AZURE = 5
"""Addresses that Azure reserves in each subnet: the first four and the last ("Azure Virtual Network FAQ")."""


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """The subnets of one network, each an eighth of it; the rest is unused."""

    network: IPv4Network
    cluster: IPv4Network
    """For AKS nodes, one address each; pods have addresses in `POD_RANGE`."""
    databricks_hosts: IPv4Network
    databricks_containers: IPv4Network
    """Each node of a training cluster has one address in each of the two."""
    endpoints: IPv4Network
    service: IPv4Network
    """For the service's load balancer."""

    @property
    def service_address(self) -> IPv4Address:
        """The service's address: the first in its subnet that Azure does not reserve."""
        return self.service[KEPT_BY_AZURE - 1]


def divided(text: str) -> Ranges:
    """The subnets of a network such as "10.100.0.0/16".

    Raises `ValueError` if `text` is no network, is too small, too large or public, or overlaps the cluster's own
    ranges.
    """
    network = IPv4Network(text)
    if not LARGEST_PREFIX <= network.prefixlen <= SMALLEST_PREFIX:
        raise ValueError(f"network_range is {text}: it must be from /{LARGEST_PREFIX} to /{SMALLEST_PREFIX}")
    if not network.is_private:
        raise ValueError(f"network_range is {text}, which are public addresses: choose private ones")
    for inside in (POD_RANGE, SERVICE_RANGE):
        if network.overlaps(IPv4Network(inside)):
            raise ValueError(f"network_range is {text} and overlaps {inside}, which the cluster uses internally")
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
    """Raise `ValueError` unless network `text` has enough addresses for the cluster's nodes and the training
    machines."""
    ranges = divided(text)
    for wanted, subnet in ((nodes + NODES_BESIDE, ranges.cluster), (machines, ranges.databricks_hosts)):
        free = subnet.num_addresses - KEPT_BY_AZURE
        if wanted > free:
            raise ValueError(f"network_range {text} has {free} addresses for {wanted} nodes: widen it")


BLOB = "privatelink.blob.core.windows.net"
FILE = "privatelink.file.core.windows.net"
LAKE = "privatelink.dfs.core.windows.net"
VAULT = "privatelink.vaultcore.azure.net"
REGISTRY = "privatelink.azurecr.io"
MACHINE_LEARNING = "privatelink.api.azureml.ms"
NOTEBOOKS = "privatelink.notebooks.azure.net"
DATABRICKS = "privatelink.azuredatabricks.net"
ZONES = (BLOB, FILE, LAKE, VAULT, REGISTRY, MACHINE_LEARNING, NOTEBOOKS, DATABRICKS)


class Service(StrEnum):
    """A resource with private endpoints."""

    LAKE = "lake"
    WORKSPACE_STORAGE = "workspace-storage"
    VAULT = "vault"
    REGISTRY = "registry"
    MACHINE_LEARNING = "machine-learning"
    DATABRICKS = "databricks"


@dataclass(frozen=True)
class Link:
    """One endpoint: to a part of a service, which Azure calls its group, with the DNS zones of its names."""

    name: str
    service: Service
    group: str
    zones: tuple[str, ...]


LINKS = (
    Link("lake-blob", Service.LAKE, "blob", (BLOB,)),
    Link("lake-dfs", Service.LAKE, "dfs", (LAKE,)),
    Link("ml-blob", Service.WORKSPACE_STORAGE, "blob", (BLOB,)),
    Link("ml-file", Service.WORKSPACE_STORAGE, "file", (FILE,)),
    Link("vault", Service.VAULT, "vault", (VAULT,)),
    Link("registry", Service.REGISTRY, "registry", (REGISTRY,)),
    Link("models", Service.MACHINE_LEARNING, "amlworkspace", (MACHINE_LEARNING, NOTEBOOKS)),
    Link("databricks", Service.DATABRICKS, "databricks_ui_api", (DATABRICKS,)),
    Link("databricks-sign-in", Service.DATABRICKS, "browser_authentication", (DATABRICKS,)),
)
"""Azure ML keeps its own files in blobs and in a file share. Databricks' second endpoint is for browser sign-in."""
