"""The service's pods: an image by digest, minimal privileges, rolling updates."""

from dataclasses import dataclass

import pulumi
from pulumi import CustomTimeouts, Input, ResourceOptions
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    CSIVolumeSourceArgs,
    EmptyDirVolumeSourceArgs,
    HTTPGetActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
    SleepActionArgs,
    TolerationArgs,
    TopologySpreadConstraintArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.workload import names
from steps.serving_settings import WORKERS_OF_A_POD, ScoringSettings, limit_options

START_CHECKS = 60
CHECK_SECONDS = 5
FIRST_SECONDS = 900
"""How long the first pods may take, while nothing serves yet: the nodes' new role for pulling images takes up to ten
minutes to become effective, and a node retries a refused image after up to five."""
SCRATCH = "/tmp"  # noqa: S108 - inside the container, an empty folder of its own
SCRATCH_SIZE = "64Mi"
SNAPSHOTS = "/snapshots"
VERSION = f"{SNAPSHOTS}/version"
"""The folder for the snapshots of the version that the pod serves."""
SNAPSHOTS_SIZE = "8Gi"
"""On the node's disk: the users' histories twice, while new ones are fetched."""
CERTIFICATE_ANNOTATION = "personalization/certificate"
DRAIN = "--drain-seconds"
SPREAD_OVER = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")


@dataclass(frozen=True, kw_only=True)
class ScoringPodsArgs:
    """Image, settings, size and placement of the pods."""

    namespace: Input[str]
    account: Input[str]
    secret_provider: Input[str]
    image: Input[str]
    """The full reference, with its digest."""
    scoring: ScoringSettings
    cpu_millicores: int
    memory_mib: int
    rollout_seconds: int
    """A rollout without progress for so long has failed; the old pods keep serving. The first may take longer."""
    certificate_hash: Input[str]
    """A new certificate restarts the pods, because the service reads it only once."""
    snapshots: Input[str] | None
    """The address of the version's histories and catalogue, if the service recommends."""
    nodes: tuple[str, str]
    """Label of the nodes that run the service, name and value, and the taint of a pool of its own."""


class ScoringPods(pulumi.ComponentResource):
    """The Deployment. The autoscaler sets the number of pods."""

    def __init__(self, name: str, args: ScoringPodsArgs, opts: ResourceOptions | None = None) -> None:
        """Create it, and wait until all pods are ready."""
        super().__init__("personalization:workload:ScoringPods", name, None, opts)
        self._args = args
        # Not in the manifest, so that it applies to the creation alone and the next `up` changes nothing.
        first = CustomTimeouts(create=f"{max(FIRST_SECONDS, 2 * args.rollout_seconds)}s")
        self.deployment = Deployment(
            "deployment",
            metadata=ObjectMetaArgs(
                name=names.NAME,
                namespace=args.namespace,
                labels=names.LABELS,
                annotations={"pulumi.com/timeoutSeconds": str(2 * args.rollout_seconds)},
            ),
            spec=DeploymentSpecArgs(
                selector=LabelSelectorArgs(match_labels=names.LABELS),
                strategy=DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0),
                ),
                progress_deadline_seconds=args.rollout_seconds,
                template=PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(
                        labels={**names.LABELS, "azure.workload.identity/use": "true"},
                        annotations={CERTIFICATE_ANNOTATION: args.certificate_hash},
                    ),
                    spec=self._pod(),
                ),
            ),
            opts=ResourceOptions(parent=self, custom_timeouts=first),
        )
        self.register_outputs({})

    def _pod(self) -> PodSpecArgs:
        label, pool = self._args.nodes
        vault_files = CSIVolumeSourceArgs(
            driver="secrets-store.csi.k8s.io",
            read_only=True,
            volume_attributes={"secretProviderClass": self._args.secret_provider},
        )
        return PodSpecArgs(
            service_account_name=self._args.account,
            automount_service_account_token=False,
            enable_service_links=False,
            security_context=PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=names.USER,
                run_as_group=names.USER,
                fs_group=names.USER,
                seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
            ),
            node_selector={label: pool},
            tolerations=[TolerationArgs(key=label, operator="Equal", value=pool, effect="NoSchedule")],
            topology_spread_constraints=[_spread(key) for key in SPREAD_OVER],
            termination_grace_period_seconds=names.LEAVE_SECONDS + 2 * int(self._limits()[DRAIN]),
            containers=[self._container()],
            volumes=[
                VolumeArgs(name="secrets", csi=vault_files),
                *(_empty(name, size) for name, _, size in self._folders()),
            ],
        )

    def _container(self) -> ContainerArgs:
        size = {"cpu": f"{self._args.cpu_millicores}m", "memory": f"{self._args.memory_mib}Mi"}
        return ContainerArgs(
            name=names.NAME,
            image=self._args.image,
            args=self._arguments(),
            ports=[
                ContainerPortArgs(name="https", container_port=names.PORT),
                ContainerPortArgs(name="inside", container_port=names.INSIDE_PORT),
            ],
            resources=ResourceRequirementsArgs(requests=size, limits=size),
            security_context=SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                run_as_non_root=True,
                capabilities=CapabilitiesArgs(drop=["ALL"]),
            ),
            startup_probe=_probe("/readyz", failures=START_CHECKS),
            readiness_probe=_probe("/readyz", failures=2),
            liveness_probe=_probe("/healthz", failures=6),
            lifecycle=LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=names.LEAVE_SECONDS))),
            volume_mounts=[
                VolumeMountArgs(name="secrets", mount_path=names.SECRETS_FOLDER, read_only=True),
                *(VolumeMountArgs(name=name, mount_path=path) for name, path, _ in self._folders()),
            ],
        )

    def _folders(self) -> list[tuple[str, str, str]]:
        """Names, paths and sizes of the folders that the pod may write to."""
        snapshots = [] if self._args.snapshots is None else [("snapshots", SNAPSHOTS, SNAPSHOTS_SIZE)]
        return [("scratch", SCRATCH, SCRATCH_SIZE), *snapshots]

    def _limits(self) -> dict[str, str]:
        return {DRAIN: str(names.DRAIN_SECONDS), **limit_options(self._args.scoring)}

    def _arguments(self) -> list[Input[str]]:
        """Arguments for `python -m scoring`, to which the image's entry point adds its model and version."""
        scoring = self._args.scoring
        limits = self._limits()
        drain_seconds = limits.pop(DRAIN)
        options = {
            "--host": "0.0.0.0",  # noqa: S104 - inside the pod; the network policy restricts access
            "--port": names.PORT,
            "--inside-host": "0.0.0.0",  # noqa: S104 - as above
            "--inside-port": names.INSIDE_PORT,
            "--workers": scoring.workers or WORKERS_OF_A_POD,
            "--engine": scoring.engine.value,
            **limits,
            "--keys-file": names.KEYS_FILE,
            "--tls-cert": names.CERTIFICATE_FILE,
            "--tls-key": names.PRIVATE_KEY_FILE,
            DRAIN: drain_seconds,
            "--log-requests": "refused",  # Log Analytics bills by volume; each minute has a summary
        }
        arguments: list[Input[str]] = [str(part) for option in options.items() for part in option]
        if self._args.snapshots is not None:
            arguments += ["--snapshots", VERSION, "--snapshots-from", self._args.snapshots]
        return arguments


def _empty(name: str, size: str) -> VolumeArgs:
    return VolumeArgs(name=name, empty_dir=EmptyDirVolumeSourceArgs(size_limit=size))


def _probe(path: str, *, failures: int) -> ProbeArgs:
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=path, port="inside"),  # clients can't delay probes there
        period_seconds=CHECK_SECONDS,
        timeout_seconds=2,
        failure_threshold=failures,
    )


def _spread(key: str) -> TopologySpreadConstraintArgs:
    """Spread pods if possible: an uneven spread is better than a pending pod."""
    return TopologySpreadConstraintArgs(
        topology_key=key,
        max_skew=1,
        when_unsatisfiable="ScheduleAnyway",
        label_selector=LabelSelectorArgs(match_labels=names.LABELS),
    )
