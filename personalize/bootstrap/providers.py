"""The resource providers that a stack uses. A new subscription has few of them, and Pulumi registers none."""

from concurrent.futures import ThreadPoolExecutor

from azure_clients.resource_manager import ResourceManager

VERSION = "2021-04-01"
NAMESPACES = (
    "Microsoft.AlertsManagement",
    "Microsoft.Authorization",
    "Microsoft.Compute",
    "Microsoft.Consumption",
    "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService",
    "Microsoft.Databricks",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
)
"""Everything that a stack or the bootstrap makes lies in one of them."""
REGISTERED = "Registered"
ASKED_AT_ONCE = 7


def provider_path(subscription: str, namespace: str) -> str:
    """Where a provider's registration is."""
    return f"/subscriptions/{subscription}/providers/{namespace}"


def unregistered(manager: ResourceManager, subscription: str) -> list[str]:
    """The providers that are not registered yet; raises `ManagerRefusedError`."""

    def state(namespace: str) -> str:
        found = manager.get(provider_path(subscription, namespace), VERSION) or {}
        return str(found.get("registrationState"))

    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        states = list(pool.map(state, NAMESPACES))
    return [namespace for namespace, found in zip(NAMESPACES, states, strict=True) if found != REGISTERED]
