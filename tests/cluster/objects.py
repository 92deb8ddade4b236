"""API paths of the service's objects, and the node pool that its pods need."""

from tests.simulation.examples.azure import create_all, example
from tests.simulation.resource_manager.azure_native import AzureNative

POOL = "azure-native:containerservice:AgentPool"
NAMESPACE = "/api/v1/namespaces/scoring"
DEPLOYMENT = "/apis/apps/v1/namespaces/scoring/deployments/scoring"
PATHS = {
    "Namespace": NAMESPACE,
    "ServiceAccount": f"{NAMESPACE}/serviceaccounts/scoring",
    "SecretProviderClass": "/apis/secrets-store.csi.x-k8s.io/v1/namespaces/scoring/secretproviderclasses/scoring",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/scoring/networkpolicies/scoring",
    "Service": f"{NAMESPACE}/services/scoring",
    "Deployment": DEPLOYMENT,
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/scoring/horizontalpodautoscalers/scoring",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/scoring/poddisruptionbudgets/scoring",
}
"""In an order in which they can be applied."""


def create_scoring_pool(arm: AzureNative) -> None:
    """Create the examples up to a node pool, and that one with the scoring pool's labels and taints."""
    create_all(arm, until=POOL)
    marks = {
        "nodeLabels": {"personalization/pool": "scoring"},
        "nodeTaints": ["personalization/pool=scoring:NoSchedule"],
    }
    arm.create(POOL, example(POOL) | marks)
