"""How requests reach the pods, and that nothing else does: the pods themselves call nobody."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_kubernetes.core.v1 import Service, ServicePortArgs, ServiceSpecArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicy,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.workload.settings import ANSWERING, LABELS, NAME, PORT

HTTPS = 443
DNS_ANNOTATION = "service.beta.kubernetes.io/azure-dns-label-name"


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The first label of the service's host."""

    namespace: Input[str]
    dns_label: str


class Network(pulumi.ComponentResource):
    """A load balancer with a name of its own, and the policy of the pods. TLS ends in the pods."""

    def __init__(self, name: str, args: NetworkArgs, opts: ResourceOptions | None = None) -> None:
        """Make both."""
        super().__init__("personalization:workload:Network", name, None, opts)
        NetworkPolicy(
            "network-policy",
            metadata=ObjectMetaArgs(name=NAME, namespace=args.namespace, labels=LABELS),
            spec=NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(match_labels=ANSWERING),
                policy_types=["Ingress", "Egress"],  # no rule for the second: nothing may leave
                ingress=[NetworkPolicyIngressRuleArgs(ports=[NetworkPolicyPortArgs(port=PORT, protocol="TCP")])],
            ),
            opts=ResourceOptions(parent=self),
        )
        self.service = Service(
            "load-balancer",
            metadata=ObjectMetaArgs(
                name=NAME, namespace=args.namespace, labels=LABELS, annotations={DNS_ANNOTATION: args.dns_label}
            ),
            spec=ServiceSpecArgs(
                type="LoadBalancer",
                selector=ANSWERING,
                ports=[ServicePortArgs(name="https", port=HTTPS, target_port="https", protocol="TCP")],
            ),
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})
