"""All Kubernetes objects of the service, from top to bottom: namespace, secrets, network, pods, autoscaling."""

from collections.abc import Mapping, Sequence

import yaml
from pulumi import Input, ResourceOptions
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpecArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.core.v1 import Namespace, ServiceAccount
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from infra.step_resource import Group
from infra.workload import names
from infra.workload.deployment import scoring_pods
from infra.workload.names import LABELS, NAME, NAMESPACE, SERVICE_ACCOUNT
from infra.workload.network import Place, service_network
from steps.serving_settings import ScoringSettings

POD_SECURITY = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
CLIENT_ANNOTATION = "azure.workload.identity/client-id"
FILES = {
    names.KEYS_FILE: names.KEYS_SECRET,
    names.CERTIFICATE_FILE: names.CERTIFICATE_SECRET,
    names.PRIVATE_KEY_FILE: names.PRIVATE_KEY_SECRET,
}
"""The vault's secrets as files in the pods; AKS' Key Vault add-on updates them every two minutes."""
BUSY_PERCENT = 70
"""Target CPU utilization, the average of all pods."""


def workload(
    opts: ResourceOptions,
    *,
    image: Input[str],
    scoring: ScoringSettings,
    place: Place,
    vault: Input[str],
    tenant: str,
    client_id: Input[str],
    certificate_hash: Input[str],
    snapshots: Input[str] | None,
    endpoints: str | None,
    sources: Sequence[str],
    nodes: tuple[str, str],
    cpu_millicores: int,
    memory_mib: int,
    rollout_seconds: int,
    replicas_min: int,
    replicas_max: int,
) -> Deployment:
    """All objects, in the given provider's cluster; the Deployment, which exists once the pods are ready.

    `image` is the full reference with its digest, `vault` the vault's name, `client_id` the pods' identity, `snapshots`
    the address of the version's histories and catalogue if the service recommends, `endpoints` the range of a private
    stack's endpoints, `sources` the IP ranges that may reach the service (empty for all), and `nodes` the label of
    the nodes that run it, name and value.
    """
    group = Group("workload:Workload", "workload", opts)
    own = ResourceOptions(parent=group)

    spaced = ResourceOptions(parent=Group("workload:ScoringNamespace", "namespace", own))
    made = Namespace(
        "namespace", metadata=ObjectMetaArgs(name=NAMESPACE, labels={**LABELS, **POD_SECURITY}), opts=spaced
    )
    namespace = made.metadata.apply(lambda metadata: metadata.name or NAMESPACE)
    account = ServiceAccount(
        "service-account",
        metadata=ObjectMetaArgs(
            name=SERVICE_ACCOUNT, namespace=namespace, labels=LABELS, annotations={CLIENT_ANNOTATION: client_id}
        ),
        automount_service_account_token=False,  # the pods never call the Kubernetes API
        opts=spaced,
    )
    files = Group("workload:VaultFiles", "vault-files", own)
    CustomResource(
        "secret-provider",
        api_version="secrets-store.csi.x-k8s.io/v1",
        kind="SecretProviderClass",
        metadata=ObjectMetaArgs(name=NAME, namespace=namespace, labels=LABELS),
        spec={
            "provider": "azure",
            "parameters": {
                "clientID": client_id,
                "keyvaultName": vault,
                "tenantId": tenant,
                "objects": _objects(FILES),
            },
        },
        opts=ResourceOptions(parent=files),
    )
    network = service_network(
        own,
        namespace=namespace,
        place=place,
        fetches=snapshots is not None,
        endpoints=endpoints,
        sources=sources,
    )
    pods = scoring_pods(
        ResourceOptions(parent=group, depends_on=[files, network]),
        namespace=namespace,
        account=account.metadata.apply(lambda metadata: metadata.name or SERVICE_ACCOUNT),
        secret_provider=NAME,
        image=image,
        scoring=scoring,
        cpu_millicores=cpu_millicores,
        memory_mib=memory_mib,
        rollout_seconds=rollout_seconds,
        certificate_hash=certificate_hash,
        snapshots=snapshots,
        nodes=nodes,
    )
    scaled = Group("workload:Scaling", "scaling", ResourceOptions(parent=group, depends_on=[pods]))
    metadata = ObjectMetaArgs(name=NAME, namespace=namespace, labels=LABELS)
    busy = MetricTargetArgs(type="Utilization", average_utilization=BUSY_PERCENT)
    HorizontalPodAutoscaler(
        "autoscaler",
        metadata=metadata,
        spec=HorizontalPodAutoscalerSpecArgs(
            scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=NAME),
            min_replicas=replicas_min,
            max_replicas=replicas_max,
            metrics=[MetricSpecArgs(type="Resource", resource=ResourceMetricSourceArgs(name="cpu", target=busy))],
        ),
        opts=ResourceOptions(parent=scaled),
    )
    PodDisruptionBudget(
        "disruption-budget",
        metadata=metadata,
        spec=PodDisruptionBudgetSpecArgs(
            # A minimum of available pods would block node upgrades in a stack with one pod.
            max_unavailable=1,
            selector=LabelSelectorArgs(match_labels=LABELS),
        ),
        opts=ResourceOptions(parent=scaled),
    )
    return pods


def _objects(files: Mapping[str, str]) -> str:
    """The add-on's format: YAML with a list of strings, each again YAML."""
    entries = [
        yaml.safe_dump({"objectName": secret, "objectType": "secret", "objectAlias": path.rpartition("/")[2]})
        for path, secret in files.items()
    ]
    return yaml.safe_dump({"array": entries})
