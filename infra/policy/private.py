"""Policies for a private stack, recognized by a tag: nothing in it is reachable from the internet."""

from collections.abc import Iterable, Iterator

from infra.cloud.names import NETWORK_TAG
from infra.policy.cloud_resources import ACCOUNT, CLUSTER, REGISTRY
from infra.policy.rule import Properties, dig, rule

PRIVATE = "private"
CONNECTOR = "accessconnector"
VAULT = "azure-native:keyvault:Vault"
MODELS = "azure-native:machinelearningservices:Workspace"
DATABRICKS = "azure-native:databricks:Workspace"
ADDRESS = "azure-native:network:PublicIPAddress"
GATEWAY = "azure-native:network:NatGateway"
SERVICE = "kubernetes:core/v1:Service"
INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"
STACK_RULE = "private-entrances"


def is_private(properties: Properties) -> bool:
    """Whether a resource carries the tag of a private stack."""
    return bool(dig(properties, f"tags.{NETWORK_TAG}") == PRIVATE)


@rule(
    "private-services",
    "No service of a private stack is reachable from the internet.",
    ACCOUNT,
    REGISTRY,
    VAULT,
    MODELS,
    DATABRICKS,
)
def _public_access(properties: Properties, _: str) -> Iterator[str]:
    access = properties.get("publicNetworkAccess") or dig(properties, "properties.publicNetworkAccess")
    if is_private(properties) and access != "Disabled" and not _admits_connectors_alone(properties):
        yield (
            f"`publicNetworkAccess` is {access}; in a private stack it must be Disabled, or for a lake Enabled with "
            "rules that deny everything but access connectors."
        )


def _admits_connectors_alone(properties: Properties) -> bool:
    """Whether a storage account's firewall lets in Databricks' access connectors and nobody else."""
    rules = properties.get("networkRuleSet") or {}
    admitted = [str(one.get("resourceId")) for one in rules.get("resourceAccessRules") or ()]
    open_to_others = rules.get("ipRules") or rules.get("virtualNetworkRules") or rules.get("bypass") != "None"
    denies = rules.get("defaultAction") == "Deny" and not open_to_others
    return bool(denies and admitted and all(CONNECTOR in one.lower() for one in admitted))


@rule("private-api-server", "The API server of a private stack is private.", CLUSTER)
def _public_api_server(properties: Properties, _: str) -> Iterator[str]:
    if is_private(properties) and dig(properties, "apiServerAccessProfile.enablePrivateCluster") is not True:
        yield "`apiServerAccessProfile.enablePrivateCluster` must be true in a private stack."


def public_entrances(resources: Iterable[tuple[str, Properties]]) -> Iterator[str]:
    """A sentence for each public entrance to a private stack."""
    given = list(resources)
    if not any(is_private(properties) for _, properties in given):
        return
    for kind, properties in given:
        annotations = dig(properties, "metadata.annotations") or {}
        if kind == SERVICE and dig(properties, "spec.type") == "LoadBalancer" and annotations.get(INTERNAL) != "true":
            name = dig(properties, "metadata.name")
            yield f"the load balancer {name} is public; in a private stack it needs `{INTERNAL}`."
    out = sum(len(properties.get("publicIpAddresses") or ()) for kind, properties in given if kind == GATEWAY)
    addresses = sum(kind == ADDRESS for kind, _ in given)
    if addresses > out:
        yield f"a private stack has {addresses} public IP addresses, but its NAT gateway uses only {out} of them."


RULES = (
    _public_access,
    _public_api_server,
)
