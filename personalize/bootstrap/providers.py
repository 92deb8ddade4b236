"""The resource providers of a stack. A new subscription has few registered, and Pulumi registers none."""

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
"""The namespaces of all resources of a stack or of the bootstrap."""
REGISTERED = "Registered"
ASKED_AT_ONCE = 7


def provider_path(subscription: str, namespace: str) -> str:
    """The Resource Manager's path of a provider's registration."""
    return f"/subscriptions/{subscription}/providers/{namespace}"


def unregistered(manager: ResourceManager, subscription: str) -> list[str]:
    """The providers that are not registered yet. Raises `ManagerRefusedError`."""

    def state(namespace: str) -> str:
        found = manager.get(provider_path(subscription, namespace), VERSION) or {}
        return str(found.get("registrationState"))

    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        states = list(pool.map(state, NAMESPACES))
    return [namespace for namespace, found in zip(NAMESPACES, states, strict=True) if found != REGISTERED]
