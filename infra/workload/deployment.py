"""The service's pods: an image by digest, minimal privileges, rolling updates."""

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

from infra.step_resource import Group
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


def scoring_pods(
    opts: ResourceOptions,
    *,
    namespace: Input[str],
    account: Input[str],
    secret_provider: Input[str],
    image: Input[str],
    scoring: ScoringSettings,
    cpu_millicores: int,
    memory_mib: int,
    rollout_seconds: int,
    certificate_hash: Input[str],
    snapshots: Input[str] | None,
    nodes: tuple[str, str],
) -> Deployment:
    """The Deployment, which exists once all pods are ready. The autoscaler sets their number.

    `image` is the full reference with its digest. A rollout without progress for `rollout_seconds` has failed, and the
    old pods keep serving; the first may take longer. A new certificate restarts the pods, because the service reads it
    only once. `snapshots` is the address of the version's histories and catalogue, if the service recommends, and
    `nodes` the label of the nodes that run the service, name and value, and the taint of a pool of its own.
    """
    label, pool = nodes
    limits = {DRAIN: str(names.DRAIN_SECONDS), **limit_options(scoring)}
    folders = [("scratch", SCRATCH, SCRATCH_SIZE)]
    if snapshots is not None:
        folders.append(("snapshots", SNAPSHOTS, SNAPSHOTS_SIZE))
    size = {"cpu": f"{cpu_millicores}m", "memory": f"{memory_mib}Mi"}
    vault_files = CSIVolumeSourceArgs(
        driver="secrets-store.csi.k8s.io",
        read_only=True,
        volume_attributes={"secretProviderClass": secret_provider},
    )
    container = ContainerArgs(
        name=names.NAME,
        image=image,
        args=_arguments(scoring, limits, snapshots),
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
            *(VolumeMountArgs(name=name, mount_path=path) for name, path, _ in folders),
        ],
    )
    pod = PodSpecArgs(
        service_account_name=account,
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
        termination_grace_period_seconds=names.LEAVE_SECONDS + 2 * int(limits[DRAIN]),
        containers=[container],
        volumes=[
            VolumeArgs(name="secrets", csi=vault_files),
            *(VolumeArgs(name=name, empty_dir=EmptyDirVolumeSourceArgs(size_limit=most)) for name, _, most in folders),
        ],
    )
    return Deployment(
        "deployment",
        metadata=ObjectMetaArgs(
            name=names.NAME,
            namespace=namespace,
            labels=names.LABELS,
            annotations={"pulumi.com/timeoutSeconds": str(2 * rollout_seconds)},
        ),
        spec=DeploymentSpecArgs(
            selector=LabelSelectorArgs(match_labels=names.LABELS),
            strategy=DeploymentStrategyArgs(
                type="RollingUpdate", rolling_update=RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0)
            ),
            progress_deadline_seconds=rollout_seconds,
            template=PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(
                    labels={**names.LABELS, "azure.workload.identity/use": "true"},
                    annotations={CERTIFICATE_ANNOTATION: certificate_hash},
                ),
                spec=pod,
            ),
        ),
        opts=ResourceOptions(
            parent=Group("workload:ScoringPods", "pods", opts),
            # Not in the manifest, so that it applies to the creation alone and the next `up` changes nothing.
            custom_timeouts=CustomTimeouts(create=f"{max(FIRST_SECONDS, 2 * rollout_seconds)}s"),
        ),
    )


def _arguments(scoring: ScoringSettings, limits: dict[str, str], snapshots: Input[str] | None) -> list[Input[str]]:
    """Arguments for `python -m scoring`, to which the image's entry point adds its model and version."""
    options = {
        "--host": "0.0.0.0",  # noqa: S104 - inside the pod; the network policy restricts access
        "--port": names.PORT,
        "--inside-host": "0.0.0.0",  # noqa: S104 - as above
        "--inside-port": names.INSIDE_PORT,
        "--workers": scoring.workers or WORKERS_OF_A_POD,
        "--engine": scoring.engine.value,
        **{option: value for option, value in limits.items() if option != DRAIN},
        "--keys-file": names.KEYS_FILE,
        "--tls-cert": names.CERTIFICATE_FILE,
        "--tls-key": names.PRIVATE_KEY_FILE,
        DRAIN: limits[DRAIN],
        "--log-requests": "refused",  # Log Analytics bills by volume; each minute has a summary
    }
    arguments: list[Input[str]] = [str(part) for option in options.items() for part in option]
    if snapshots is not None:
        arguments += ["--snapshots", VERSION, "--snapshots-from", snapshots]
    return arguments


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
