"""All Kubernetes objects of the service, in the given provider's cluster."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import yaml
from pulumi import Input, ResourceOptions
from pulumi_kubernetes.apiextensions import CustomResource
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

from infra.azure_settings import ANYWHERE, AzureSettings
from infra.azure_settings import Network as Reach
from infra.private import divided
from infra.workload import names
from infra.workload.deployment import ScoringPods, ScoringPodsArgs
from infra.workload.names import LABELS, NAME, NAMESPACE, SERVICE_ACCOUNT
from infra.workload.network import Network, NetworkArgs, Place
from steps.serving_settings import ScoringSettings

POD_SECURITY = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
CLIENT_ANNOTATION = "azure.workload.identity/client-id"


@dataclass(frozen=True, kw_only=True)
class ScoringNamespaceArgs:
    """The pods' Azure identity."""

    client_id: Input[str]


class ScoringNamespace(pulumi.ComponentResource):
    """Namespace and service account. `name` is the namespace's."""

    def __init__(self, name: str, args: ScoringNamespaceArgs, opts: ResourceOptions | None = None) -> None:
        """Create both."""
        super().__init__("personalization:workload:ScoringNamespace", name, None, opts)
        namespace = Namespace(
            "namespace",
            metadata=ObjectMetaArgs(name=NAMESPACE, labels={**LABELS, **POD_SECURITY}),
            opts=ResourceOptions(parent=self),
        )
        self.name = namespace.metadata.apply(lambda metadata: metadata.name or NAMESPACE)
        account = ServiceAccount(
            "service-account",
            metadata=ObjectMetaArgs(
                name=SERVICE_ACCOUNT,
                namespace=self.name,
                labels=LABELS,
                annotations={CLIENT_ANNOTATION: args.client_id},
            ),
            automount_service_account_token=False,  # the pods never call the Kubernetes API
            opts=ResourceOptions(parent=self),
        )
        self.account = account.metadata.apply(lambda metadata: metadata.name or SERVICE_ACCOUNT)
        self.register_outputs({"name": self.name, "account": self.account})


FILES = {
    names.KEYS_FILE: names.KEYS_SECRET,
    names.CERTIFICATE_FILE: names.CERTIFICATE_SECRET,
    names.PRIVATE_KEY_FILE: names.PRIVATE_KEY_SECRET,
}


@dataclass(frozen=True, kw_only=True)
class VaultFilesArgs:
    """The vault, and the identity that reads it."""

    namespace: Input[str]
    vault: Input[str]
    """The vault's name."""
    tenant: Input[str]
    client_id: Input[str]


class VaultFiles(pulumi.ComponentResource):
    """The SecretProviderClass. A volume refers to it by `name`."""

    def __init__(self, name: str, args: VaultFilesArgs, opts: ResourceOptions | None = None) -> None:
        """Create it."""
        super().__init__("personalization:workload:VaultFiles", name, None, opts)
        CustomResource(
            "secret-provider",
            api_version="secrets-store.csi.x-k8s.io/v1",
            kind="SecretProviderClass",
            metadata=ObjectMetaArgs(name=names.NAME, namespace=args.namespace, labels=names.LABELS),
            spec={
                "provider": "azure",
                "parameters": {
                    "clientID": args.client_id,
                    "keyvaultName": args.vault,
                    "tenantId": args.tenant,
                    "objects": _objects(FILES),
                },
            },
            opts=ResourceOptions(parent=self),
        )
        self.name = names.NAME
        self.register_outputs({"name": self.name})


def _objects(files: Mapping[str, str]) -> str:
    """The add-on's format: YAML with a list of strings, each again YAML."""
    entries = [
        yaml.safe_dump({"objectName": secret, "objectType": "secret", "objectAlias": path.rpartition("/")[2]})
        for path, secret in files.items()
    ]
    return yaml.safe_dump({"array": entries})


BUSY_PERCENT = 70
"""Target CPU utilization, the average of all pods."""


@dataclass(frozen=True, kw_only=True)
class AutoscalingArgs:
    """Minimum and maximum number of pods."""

    namespace: Input[str]
    replicas_min: int
    replicas_max: int


class Autoscaling(pulumi.ComponentResource):
    """Autoscaler and disruption budget."""

    def __init__(self, name: str, args: AutoscalingArgs, opts: ResourceOptions | None = None) -> None:
        """Create both."""
        super().__init__("personalization:workload:Scaling", name, None, opts)
        metadata = ObjectMetaArgs(name=NAME, namespace=args.namespace, labels=LABELS)
        target = MetricTargetArgs(type="Utilization", average_utilization=BUSY_PERCENT)
        HorizontalPodAutoscaler(
            "autoscaler",
            metadata=metadata,
            spec=HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=NAME),
                min_replicas=args.replicas_min,
                max_replicas=args.replicas_max,
                metrics=[MetricSpecArgs(type="Resource", resource=ResourceMetricSourceArgs(name="cpu", target=target))],
            ),
            opts=ResourceOptions(parent=self),
        )
        PodDisruptionBudget(
            "disruption-budget",
            metadata=metadata,
            spec=PodDisruptionBudgetSpecArgs(
                # A minimum of available pods would block node upgrades in a stack with one pod.
                max_unavailable=1,
                selector=LabelSelectorArgs(match_labels=LABELS),
            ),
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class WorkloadArgs:
    """The image, its settings, and the resources that it needs."""

    azure: AzureSettings
    scoring: ScoringSettings
    image: Input[str]
    """The full reference, with its digest."""
    place: Place
    vault: Input[str]
    """The vault's name."""
    client_id: Input[str]
    """The client ID of the pods' identity."""
    certificate_hash: Input[str]
    snapshots: Input[str] | None = None
    """The address of the version's histories and catalogue, if the service recommends."""
    pool_label: str
    pool: str


class Workload(pulumi.ComponentResource):
    """Namespace, secrets, pods, autoscaling and network, in the given provider's cluster."""

    def __init__(self, name: str, args: WorkloadArgs, opts: ResourceOptions | None = None) -> None:
        """Create all of it."""
        super().__init__("personalization:workload:Workload", name, None, opts)
        own = ResourceOptions(parent=self)
        namespace = ScoringNamespace("namespace", ScoringNamespaceArgs(client_id=args.client_id), own)
        files = VaultFiles("vault-files", _vault_files(args, namespace), own)
        network = Network(
            "network",
            NetworkArgs(
                namespace=namespace.name,
                place=args.place,
                fetches=args.snapshots is not None,
                endpoints=_endpoints(args.azure) if args.snapshots is not None else None,
                sources=() if args.azure.allowed_sources == ANYWHERE else args.azure.allowed_sources,
                tested=args.azure.availability_test,
            ),
            own,
        )
        pods = ScoringPods(
            "pods",
            _pods(args, namespace, files),
            ResourceOptions(parent=self, depends_on=[files, network]),
        )
        Autoscaling(
            "scaling",
            AutoscalingArgs(
                namespace=namespace.name,
                replicas_min=args.azure.replicas_min,
                replicas_max=args.azure.replicas_max,
            ),
            ResourceOptions(parent=self, depends_on=[pods]),
        )
        self.deployed = pods.deployment.id
        """Known once the pods are ready."""
        self.ready: list[pulumi.Resource] = [pods, network]
        """Complete when the pods respond and the address exists."""
        self.register_outputs({})


def _endpoints(azure: AzureSettings) -> str | None:
    """The addresses at which a private stack's pods reach the lake."""
    return str(divided(azure.network_range).endpoints) if azure.network is Reach.PRIVATE else None


def _vault_files(args: WorkloadArgs, namespace: ScoringNamespace) -> VaultFilesArgs:
    return VaultFilesArgs(
        namespace=namespace.name,
        vault=args.vault,
        tenant=args.azure.tenant,
        client_id=args.client_id,
    )


def _pods(args: WorkloadArgs, namespace: ScoringNamespace, files: VaultFiles) -> ScoringPodsArgs:
    return ScoringPodsArgs(
        namespace=namespace.name,
        account=namespace.account,
        secret_provider=files.name,
        image=args.image,
        scoring=args.scoring,
        cpu_millicores=args.azure.cpu_millicores,
        memory_mib=args.azure.memory_mib,
        rollout_seconds=args.azure.rollout_seconds,
        certificate_hash=args.certificate_hash,
        snapshots=args.snapshots,
        pool_label=args.pool_label,
        pool=args.pool,
    )
