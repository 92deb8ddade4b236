"""All Kubernetes objects of the service."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions

from infra.azure_settings import AzureSettings
from infra.network_ranges import divided
from infra.setting_types import ANYWHERE
from infra.setting_types import Network as Reach
from infra.workload.autoscaling import Autoscaling, AutoscalingArgs
from infra.workload.deployment import ScoringPods, ScoringPodsArgs
from infra.workload.namespace import ScoringNamespace, ScoringNamespaceArgs
from infra.workload.network import Network, NetworkArgs
from infra.workload.place import Place
from infra.workload.secrets import VaultFiles, VaultFilesArgs
from steps.serving_settings import ScoringSettings


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
