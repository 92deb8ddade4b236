"""The service's host, its load balancer, and the pods' network policy: nothing leaves except to the lake.

The annotations by which Azure gives the host to the load balancer are those of Azure's cloud provider for Kubernetes
("Use an internal load balancer with AKS").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_kubernetes.core.v1 import Service, ServicePortArgs, ServiceSpecArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.step_resource import Group
from infra.workload.names import INSIDE_PORT, LABELS, NAME, PORT

PREFIX = "service.beta.kubernetes.io/azure-"
HTTPS = 443
SYSTEM = LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": "kube-system"})
READS_METRICS = "personalization/reads-metrics"
"""Label of a namespace whose pods may use the inside port, such as that of a Prometheus."""
LOOKING = [
    NetworkPolicyPeerArgs(namespace_selector=SYSTEM),
    NetworkPolicyPeerArgs(namespace_selector=LabelSelectorArgs(match_labels={READS_METRICS: "true"})),
]
"""AKS's own pods, among them Azure's managed Prometheus (Microsoft's page "Customize scraping of Prometheus metrics"),
and labelled namespaces. Probes need no rule: connections from a pod's own node are always allowed (kubernetes.io,
"Network Policies")."""
NAME_SERVERS = NetworkPolicyPeerArgs(
    namespace_selector=SYSTEM,
    pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
)
NODE_NAME_SERVERS = [
    NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=f"{address}/32")) for address in ("169.254.10.10", "169.254.10.11")
]
"""LocalDNS on each node, which pods use from Kubernetes 1.37 on (Microsoft's page "Configure LocalDNS")."""
PRIVATE = ("10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
"""Excludes the cluster itself and the endpoint of the node's identity."""
TO_AZURE = [
    NetworkPolicyEgressRuleArgs(
        ports=[NetworkPolicyPortArgs(port=53, protocol=protocol) for protocol in ("UDP", "TCP")],
        to=[NAME_SERVERS, *NODE_NAME_SERVERS],
    ),
    NetworkPolicyEgressRuleArgs(
        ports=[NetworkPolicyPortArgs(port=HTTPS, protocol="TCP")],
        to=[NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr="0.0.0.0/0", except_=PRIVATE))],
    ),
]
"""A network policy allows addresses, and Entra ID and storage have no fixed ones."""


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


def service_network(
    opts: ResourceOptions,
    *,
    namespace: Input[str],
    place: Place,
    fetches: bool,
    endpoints: str | None,
    sources: Sequence[str],
) -> pulumi.Resource:
    """The load balancer, and the pods' network policy. TLS ends in the pods.

    `fetches` is whether the pods fetch snapshots from the lake, `endpoints` the range of the private endpoints that
    they need, if any, and `sources` the IP ranges that may reach the service (empty for all).
    """
    group = Group("workload:Network", "network", opts)
    own = ResourceOptions(parent=group)
    port = NetworkPolicyPortArgs(port=PORT, protocol="TCP")
    inside = NetworkPolicyPortArgs(port=INSIDE_PORT, protocol="TCP")
    egress = [*TO_AZURE] if fetches else []
    if fetches and endpoints is not None:
        lake = NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=endpoints))
        https = NetworkPolicyPortArgs(port=HTTPS, protocol="TCP")
        egress.append(NetworkPolicyEgressRuleArgs(ports=[https], to=[lake]))
    NetworkPolicy(
        "network-policy",
        metadata=ObjectMetaArgs(name=NAME, namespace=namespace, labels=LABELS),
        spec=NetworkPolicySpecArgs(
            pod_selector=LabelSelectorArgs(),  # every pod of the namespace
            policy_types=["Ingress", "Egress"],  # without an egress rule nothing may leave
            ingress=[
                NetworkPolicyIngressRuleArgs(ports=[port]),
                NetworkPolicyIngressRuleArgs(ports=[inside], from_=LOOKING),
            ],
            egress=egress or None,
        ),
        opts=own,
    )
    Service(
        "load-balancer",
        metadata=ObjectMetaArgs(
            name=NAME,
            namespace=namespace,
            labels=LABELS,
            annotations=place.annotations,
        ),
        spec=ServiceSpecArgs(
            type="LoadBalancer",
            load_balancer_source_ranges=list(sources) or None,
            selector=LABELS,
            ports=[ServicePortArgs(name="https", port=HTTPS, target_port="https", protocol="TCP")],
        ),
        opts=own,
    )
    return group
