"""The service's host, and the annotations by which Azure gives it to the load balancer.

The annotations are those of Azure's cloud provider for Kubernetes ("Use an internal load balancer with AKS").
"""

from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "service.beta.kubernetes.io/azure-"


@dataclass(frozen=True, kw_only=True)
class Place:
    """The host name, and the annotations of the Service."""

    host: str
    annotations: Mapping[str, str]


def on_the_internet(label: str, location: str) -> Place:
    """A public address, with a name in Azure's domain."""
    return Place(host=f"{label}.{location}.cloudapp.azure.com", annotations={f"{PREFIX}dns-label-name": label})


def inside(host: str, subnet: str, address: str) -> Place:
    """An address in `subnet`, the name of a subnet of the cluster's network. `host` must be defined in DNS
    elsewhere."""
    annotations = {
        f"{PREFIX}load-balancer-internal": "true",
        f"{PREFIX}load-balancer-internal-subnet": subnet,
        f"{PREFIX}load-balancer-ipv4": address,
    }
    return Place(host=host, annotations=annotations)
