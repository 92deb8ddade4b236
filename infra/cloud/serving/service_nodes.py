"""The nodes that the service runs on, by their label."""

from infra.azure_settings import AzureSettings

POOL_LABEL = "personalization/pool"
"""Label of the scoring pool's nodes, the same for a pool that replaces another."""
SCORING = "scoring"
MODE_LABEL = "kubernetes.azure.com/mode"
"""AKS's own label, `system` or `user` (learn.microsoft.com/azure/aks/use-system-pools)."""


def label_of_service_nodes(settings: AzureSettings) -> tuple[str, str]:
    """Name and value of the label."""
    return (MODE_LABEL, "system") if settings.shares_nodes else (POOL_LABEL, SCORING)
