"""Monthly quantities: of the reference article's pricing scenario, and of a stack with given settings."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.azure_settings import AzureSettings, KubernetesTier, Network, RegistryTier, Replication
from infra.private import LINKS, ZONES

METRIC_ALERTS = 2
"""On the nodes (`infra/cloud/monitoring.py`)."""
QUERY_ALERTS, SERVICE_QUERY_ALERTS = 1, 6
"""On training runs, and on the service's logs where they are collected (`infra/cloud/queries.py`)."""
REFERENCE = "reference"

TRAININGS_PER_MONTH = 30
HOURS_PER_TRAINING = 1.0
"""From the reference article: daily, one hour."""
STORED_GB = 20.0
"""45.8 million rows are 11 GB; the rest is for models and reports."""
FREE_LOG_GB = 5.0
DAYS = 30
DISK_GIB = 64
"""Of each node's system disk."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Nodes that always run."""

    name: str
    size: str
    nodes: int


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Quantities per month."""

    name: str
    region: str
    training_size: str
    training_nodes: int
    trainings: float = TRAININGS_PER_MONTH
    hours_per_training: float = HOURS_PER_TRAINING
    pools: tuple[Pool, ...]
    kubernetes_tier: KubernetesTier
    registry_tier: RegistryTier
    replication: Replication = Replication.LOCAL
    stored_gb: float = STORED_GB
    log_gb: float = 0.0
    """Beyond the free amount."""
    nat_gateways: int = 0
    public_addresses: int = 2
    """One for incoming and one for outgoing connections."""
    metric_alerts: int = 0
    query_alerts: int = 0
    private_endpoints: int = 0
    private_zones: int = 0
    assumptions: tuple[str, ...]


def reference() -> Scenario:
    """The pricing scenario of Azure's article "Scalable personalization on Azure", in today's sizes."""
    return Scenario(
        name=REFERENCE,
        region="eastus",
        training_size="Standard_L8s_v3",
        training_nodes=12,
        pools=(Pool(name="scoring nodes", size="Standard_D3_v2", nodes=2),),
        kubernetes_tier=KubernetesTier.STANDARD,
        registry_tier=RegistryTier.STANDARD,
        assumptions=(
            "the article's: 45.8 million rows, an hour's training a day on 12 L8s nodes, two D3 nodes on average",
            "today's sizes for them: Standard_L8s_v3 and Standard_D3_v2",
            "not in the article: disks of the nodes, AKS's Standard tier, load balancer, a Standard registry",
            f"{STORED_GB:g} GB stored, logs within the {FREE_LOG_GB:g} GB that are free",
        ),
    )


def of_settings(
    name: str,
    settings: AzureSettings,
    *,
    trainings: float = TRAININGS_PER_MONTH,
    hours_per_training: float = HOURS_PER_TRAINING,
) -> Scenario:
    """A stack's scenario at its autoscalers' minimum."""
    logs, about_logs = _logs(settings)
    system = Pool(name="system nodes", size=settings.system_vm_size, nodes=settings.system_nodes_min)
    scoring = Pool(name="scoring nodes", size=settings.scoring_vm_size, nodes=settings.scoring_nodes_min)
    return Scenario(
        name=name,
        region=settings.location,
        training_size=settings.training_vm_size,
        training_nodes=1 + settings.training_workers,
        trainings=trainings,
        hours_per_training=hours_per_training,
        pools=(system,) if settings.shares_nodes else (system, scoring),
        kubernetes_tier=settings.kubernetes_tier,
        registry_tier=settings.registry_tier,
        replication=settings.storage_replication,
        log_gb=logs,
        nat_gateways=1,
        metric_alerts=METRIC_ALERTS,
        query_alerts=QUERY_ALERTS + SERVICE_QUERY_ALERTS * settings.container_insights,
        **_private(zones_given=settings.private_dns_zones is not None) if settings.network is Network.PRIVATE else {},
        assumptions=(
            f"{trainings:g} trainings of {hours_per_training:g} h on {1 + settings.training_workers} nodes",
            *_about_nodes(settings),
            f"{STORED_GB:g} GB stored, {about_logs}",
        ),
    )


def _logs(settings: AzureSettings) -> tuple[float, str]:
    """GB of logs a month that are billed, and what is assumed about them."""
    if settings.log_analytics is not None:
        return 0.0, "logs in the given workspace are not counted"
    logs = max(0.0, DAYS * settings.log_cap_gb - FREE_LOG_GB) if settings.container_insights else 0.0
    return logs, "logs at their daily cap" if logs else f"logs within the {FREE_LOG_GB:g} GB that are free"


def _about_nodes(settings: AzureSettings) -> Iterator[str]:
    yield f"system nodes as few as may be, {settings.system_nodes_min} of at most {settings.system_nodes_max}"
    if settings.shares_nodes:
        yield "the service runs on them too"
    else:
        yield f"scoring nodes as few as may be, {settings.scoring_nodes_min} of at most {settings.scoring_nodes_max}"


def _private(*, zones_given: bool) -> dict[str, int]:
    """What only a private stack has. The NAT gateway's price includes its public address."""
    return {
        "public_addresses": 0,
        "private_endpoints": len(LINKS) + 1,  # AKS makes one for its API server
        "private_zones": (0 if zones_given else len(ZONES)) + 1,  # the service's own
    }
