"""Policies for a private stack, which its resources tell by a tag: nothing of it answers the internet."""

from collections.abc import Iterable, Iterator

from infra.cloud.names import NETWORK_TAG
from infra.policy.cloud_resources import ACCOUNT, CLUSTER, REGISTRY
from infra.policy.rule import Properties, Rule, dig

PRIVATE = "private"
VAULT = "azure-native:keyvault:Vault"
MODELS = "azure-native:machinelearningservices:Workspace"
DATABRICKS = "azure-native:databricks:Workspace"
ADDRESS = "azure-native:network:PublicIPAddress"
GATEWAY = "azure-native:network:NatGateway"
SERVICE = "kubernetes:core/v1:Service"
INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"
STACK_RULE = "private-entrances"


def is_private(properties: Properties) -> bool:
    """Whether a resource says that its stack is private."""
    return bool(dig(properties, f"tags.{NETWORK_TAG}") == PRIVATE)


def _public_access(properties: Properties, _: str) -> Iterator[str]:
    access = properties.get("publicNetworkAccess") or dig(properties, "properties.publicNetworkAccess")
    if is_private(properties) and access != "Disabled":
        yield f"`publicNetworkAccess` is {access}; in a private stack it must be Disabled."


def _public_api_server(properties: Properties, _: str) -> Iterator[str]:
    if is_private(properties) and dig(properties, "apiServerAccessProfile.enablePrivateCluster") is not True:
        yield "`apiServerAccessProfile.enablePrivateCluster` must be true in a private stack."


def public_entrances(resources: Iterable[tuple[str, Properties]]) -> Iterator[str]:
    """A sentence for each public address of a private stack that something answers at."""
    given = list(resources)
    if not any(is_private(properties) for _, properties in given):
        return
    for kind, properties in given:
        annotations = dig(properties, "metadata.annotations") or {}
        if kind == SERVICE and dig(properties, "spec.type") == "LoadBalancer" and annotations.get(INTERNAL) != "true":
            yield f"the load balancer {dig(properties, 'metadata.name')} is public: a private stack's has `{INTERNAL}`."
    out = sum(len(properties.get("publicIpAddresses") or ()) for kind, properties in given if kind == GATEWAY)
    addresses = sum(kind == ADDRESS for kind, _ in given)
    if addresses > out:
        yield f"of {addresses} public addresses a NAT gateway has {out}: a private stack has no others."


RULES = (
    Rule(
        name="private-services",
        description="No service of a private stack answers the internet.",
        types=frozenset({ACCOUNT, REGISTRY, VAULT, MODELS, DATABRICKS}),
        check=_public_access,
    ),
    Rule(
        name="private-api-server",
        description="The API server of a private stack is in its network.",
        types=frozenset({CLUSTER}),
        check=_public_api_server,
    ),
)
