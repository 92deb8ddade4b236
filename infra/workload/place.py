"""Where the service is found: its host, and what tells Azure to give the load balancer that place.

The annotations are those of Azure's cloud provider for Kubernetes ("Use an internal load balancer with AKS").
"""

from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "service.beta.kubernetes.io/azure-"


@dataclass(frozen=True, kw_only=True)
class Place:
    """The host's name, and the annotations of the Service."""

    host: str
    annotations: Mapping[str, str]


def on_the_internet(label: str, location: str) -> Place:
    """A public address, whose name Azure keeps."""
    return Place(host=f"{label}.{location}.cloudapp.azure.com", annotations={f"{PREFIX}dns-label-name": label})


def inside(host: str, subnet: str, address: str) -> Place:
    """An address of a subnet, by its name in the cluster's own network. Who calls it `host` is not said here."""
    annotations = {
        f"{PREFIX}load-balancer-internal": "true",
        f"{PREFIX}load-balancer-internal-subnet": subnet,
        f"{PREFIX}load-balancer-ipv4": address,
    }
    return Place(host=host, annotations=annotations)
