"""The service in the cluster: its secrets in the vault, and its objects in Kubernetes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input, InvokeOutputOptions, Output, ResourceOptions
from pulumi_azure_native import containerservice

from infra.cloud.cluster_environment import ClusterEnvironment
from infra.cloud.environment import Environment
from infra.cloud.monitoring.availability import Availability, AvailabilityArgs
from infra.cloud.serving.service_nodes import label_of_service_nodes
from infra.workload.workload import Workload, WorkloadArgs
from steps.cluster_names import CERTIFICATE_SECRET, KEYS_SECRET, PRIVATE_KEY_SECRET
from steps.serving_settings import ScoringSettings

HASH_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class ClusterServiceArgs:
    """The image, its settings and secrets."""

    cluster: ClusterEnvironment
    scoring: ScoringSettings
    image: Input[str]
    """The full reference, with its digest."""
    snapshots: Input[str] | None
    """The address of its version's histories and catalogue; None if the dataset has no users and items."""
    kubeconfig: Input[str]
    keys: Sequence[Input[str]]
    """The current and the previous key; the latter is empty at first."""
    certificate: Output[str]
    private_key: Input[str]


class ClusterService(pulumi.ComponentResource):
    """Secrets, then pods. Complete when all pods are ready."""

    def __init__(self, name: str, args: ClusterServiceArgs, opts: ResourceOptions | None = None) -> None:
        """Create both."""
        super().__init__("personalization:azure:ClusterService", name, None, opts)
        cluster, environment = args.cluster, args.cluster.environment
        secrets = _secrets(args)
        provider = kubernetes.Provider(
            "cluster",
            kubeconfig=args.kubeconfig,
            enable_server_side_apply=True,
            cluster_identifier=cluster.kubernetes.id,
            opts=ResourceOptions(parent=self),
        )
        pool_label, pool = label_of_service_nodes(environment.settings)
        workload = WorkloadArgs(
            azure=environment.settings,
            scoring=args.scoring,
            image=args.image,
            place=environment.place,
            vault=environment.vault.name,
            client_id=cluster.identity.client_id,
            certificate_hash=args.certificate.apply(_hash),
            snapshots=args.snapshots,
            pool_label=pool_label,
            pool=pool,
        )
        after = [*secrets, *environment.access.pods, cluster.kubernetes.ready]
        made = Workload(
            "workload",
            workload,
            ResourceOptions(
                parent=self,
                providers=[provider],
                depends_on=after,
                transformations=[partial(_gone_with, cluster.kubernetes.cluster)],
            ),
        )
        self.deployed = made.deployed
        """Known once the pods are ready."""
        self.register_outputs({})


def _secrets(args: ClusterServiceArgs) -> Sequence[pulumi.Resource]:
    """What the pods read from the vault."""
    vault = args.cluster.environment.vault
    return [
        vault.secret(KEYS_SECRET, Output.all(*args.keys).apply(_lines)),
        vault.secret(CERTIFICATE_SECRET, args.certificate),
        vault.secret(PRIVATE_KEY_SECRET, args.private_key),
    ]


def ask_from_outside(around: Environment, serving: ClusterService) -> None:
    """Call the service from outside once it serves, so that a first `up` counts as no outage."""
    if not around.settings.availability_test:
        return
    args = AvailabilityArgs(
        site=around.groups.serving, names=around.names, monitoring=around.monitoring, host=around.place.host
    )
    options = ResourceOptions.merge(around.own, ResourceOptions(depends_on=[serving]))
    Availability("availability", args, options)


def _gone_with(
    cluster: pulumi.Resource, declared: pulumi.ResourceTransformationArgs
) -> pulumi.ResourceTransformationResult | None:
    """Leave objects in the cluster to the cluster's deletion: of a stopped one, the API server is gone."""
    if not isinstance(declared.resource, pulumi.CustomResource):
        return None
    opts = ResourceOptions.merge(declared.opts, ResourceOptions(deleted_with=cluster))
    return pulumi.ResourceTransformationResult(declared.props, opts)


def kubeconfig(cluster: ClusterEnvironment, provider: pulumi.ProviderResource) -> Output[str]:
    """Azure's kubeconfig for the cluster, in base64: the same for every deployer, and without a secret.

    A private cluster has a public DNS name for an address that only the peered network reaches.
    """
    environment = cluster.environment
    found = containerservice.list_managed_cluster_user_credentials_output(
        resource_group_name=environment.groups.serving.group,
        resource_name=cluster.kubernetes.name,
        server_fqdn="public" if environment.private else None,
        opts=InvokeOutputOptions(provider=provider, depends_on=environment.access.cluster),
    )
    return found.apply(lambda credentials: credentials.kubeconfigs[0].value)


def _lines(keys: Sequence[str]) -> str:
    return "".join(f"{key}\n" for key in keys if key)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
