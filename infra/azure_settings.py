"""What a stack file says about a stack on Azure. No SDK is imported here: stack `local` reads this model too."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from infra.network_ranges import require_places
from steps.descriptions.serving_settings import RolloutKind
from tools.versions import KUBERNETES
from training.parameters import Parameters

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
AddressRange = Annotated[str, StringConstraints(pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$")]
NetworkId = Annotated[
    str,
    StringConstraints(
        pattern=r"^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+$"
    ),
]
VmSize = Annotated[str, StringConstraints(pattern=r"^Standard_[A-Za-z0-9_-]+$")]
Mail = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]


EXAMPLE_NETWORK = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hub/providers/Microsoft.Network/"
    "virtualNetworks/hub"
)
CANARY_WORKERS = 2
"""The most that a canary run has: with two, machines already have to share files and to reach each other."""


class PrincipalType(StrEnum):
    """What a member of the directory is."""

    USER = "User"
    GROUP = "Group"
    SERVICE_PRINCIPAL = "ServicePrincipal"


class KubernetesTier(StrEnum):
    """What Azure promises for the cluster's API server."""

    FREE = "Free"
    STANDARD = "Standard"


class RegistryTier(StrEnum):
    """Size and speed of the container registry."""

    BASIC = "Basic"
    STANDARD = "Standard"
    PREMIUM = "Premium"


class Replication(StrEnum):
    """Where the copies of the data lie."""

    LOCAL = "Standard_LRS"
    ZONES = "Standard_ZRS"


class StatePlace(StrEnum):
    """Where Pulumi's state of a stack is kept."""

    MACHINE = "machine"
    SUBSCRIPTION = "subscription"


class Network(StrEnum):
    """From where the stack can be reached."""

    PUBLIC = "public"
    PRIVATE = "private"


class Zone(StrEnum):
    """An availability zone."""

    FIRST = "1"
    SECOND = "2"
    THIRD = "3"


class Deployer(Parameters):
    """Who may run `up`: every one of them gets the same roles, whoever runs it first."""

    object_id: Guid
    """The object id in Entra ID."""
    type: PrincipalType
    """What it is."""
    databricks_name: str | None = None
    """Its name in Databricks (a mail address, a group's name, an application's client id) for grants on the lake; the
    deployer that made the stack owns the lake's location there and needs none."""


class AzureSettings(Parameters):
    """Where the stack lives on Azure, how large it is and who may change it."""

    subscription: Guid = Field(examples=["00000000-0000-0000-0000-000000000000"])
    """The subscription's id."""
    tenant: Guid = Field(examples=["00000000-0000-0000-0000-000000000000"])
    """The Entra ID tenant of the subscription."""
    deployers: tuple[Deployer, ...] = Field(min_length=1)
    """Who may run `up`, preferably one Entra ID group; each is `{object_id, type}`."""
    alert_mail: Mail = Field(examples=["operators@example.com"])
    """Mail address for alerts, failed training runs and budget warnings."""
    location: str = Field(default="westeurope", pattern=r"^[a-z0-9]+$")
    """The Azure region. Changing it would delete the stored data, which is refused unless asked for."""
    suffix: str = Field(default="a", pattern=r"^[a-z0-9]{1,8}$")
    """Part of every resource's name. Deleted names stay taken for days, so `destroy` renews it."""
    state: StatePlace = StatePlace.MACHINE
    """Where Pulumi's state is kept: on this machine or, for several people and workflows, in the subscription, in the
    account and under the key that `.venv/bin/personalize bootstrap` makes there."""
    github_repository: str | None = Field(default=None, pattern=r"^[^/\s]+/[^/\s]+$", examples=["owner/name"])
    """The repository whose workflows may deploy; `.venv/bin/personalize bootstrap` makes identities for them."""
    github_subject: str = Field(default="repo:{repository}", examples=["repo:owner@1234/name@5678"])
    """How the subject of GitHub's tokens begins; for repositories made since July 2026 it contains their ids.
    `gh api repos/OWNER/NAME/actions/oidc/customization/sub` shows it."""
    tags: dict[str, str] = Field(default={}, examples=[{"owner": "team"}])
    """Tags on every resource, in addition to the project's own."""
    protect: bool = False
    """Whether Pulumi refuses to delete resources that hold data."""
    storage_replication: Replication = Replication.LOCAL
    """Where the copies of the data are kept: in one data centre, or in three zones."""
    registry_tier: RegistryTier = RegistryTier.BASIC
    """Size and speed of the container registry."""
    training_vm_size: VmSize = "Standard_E4ds_v5"
    """VM size of the training cluster's nodes."""
    training_workers: int = Field(default=0, ge=0, le=100)
    """Workers of the training cluster in addition to its driver; 0 trains on the driver alone. Their number never
    changes during a training run, which LightGBM would not survive."""
    training_run_as: Guid | None = Field(default=None, examples=["00000000-0000-0000-0000-000000000000"])
    """The application id of a service principal that training runs as; whoever deploys needs Databricks' role "Service
    principal user" on it. Without one they run as whoever first brought the stack up."""
    training_timeout_minutes: int = Field(default=240, ge=10, le=2880)
    """Minutes after which a training run is stopped."""
    kubernetes_version: str = Field(default=KUBERNETES, pattern=r"^1\.\d{2}$")
    """Minor version of Kubernetes; patches are applied automatically in the maintenance window."""
    kubernetes_tier: KubernetesTier = KubernetesTier.FREE
    """`Standard` costs about 73 USD a month and comes with an SLA for the API server."""
    zones: tuple[Zone, ...] = ()
    """Availability zones of the nodes; empty for none."""
    system_vm_size: VmSize = "Standard_D2ds_v5"
    """VM size of the nodes that run the cluster's own pods."""
    system_nodes_min: int = Field(default=1, ge=1, le=100)
    """Minimum number of nodes for the cluster's own pods."""
    system_nodes_max: int = Field(default=2, ge=1, le=100)
    """Maximum number of nodes for the cluster's own pods."""
    scoring_vm_size: VmSize = "Standard_D2ds_v5"
    """VM size of the scoring nodes. Changing it makes a new pool, moves the pods, then removes the old pool."""
    scoring_nodes_min: int = Field(default=1, ge=1, le=1000)
    """Minimum number of scoring nodes."""
    scoring_nodes_max: int = Field(default=3, ge=1, le=1000)
    """Maximum number of scoring nodes."""
    replicas_min: int = Field(default=2, ge=1, le=1000)
    """Minimum number of pods of the service."""
    replicas_max: int = Field(default=6, ge=1, le=1000)
    """Maximum number of pods of the service; load decides in between."""
    cpu_millicores: int = Field(default=500, ge=100, le=64_000)
    """CPU of each pod of the service, in thousandths of a core."""
    memory_mib: int = Field(default=768, ge=256, le=262_144)
    """Memory of each pod of the service, in MiB."""
    rollout_seconds: int = Field(default=300, ge=30, le=3600)
    """Seconds that a new version's pods may be stuck before `up` fails; those of the previous version go on serving."""
    rollout: RolloutKind = RolloutKind.ROLLING
    """`rolling` replaces the pods one by one. `canary` first tries a new image on some of the requests and withdraws it
    if it fails more of them, is slower, or gives other probabilities than the pods beside it; `shadow` tries it on
    copies of requests and discards its answers."""
    candidate_percent: int = Field(default=20, ge=1, le=50)
    """Percentage of the pods, and so of the requests, that try a new image; with `shadow`, of the copies too."""
    candidate_seconds: int = Field(default=300, ge=5, le=86_400)
    """Seconds for which a new image is tried."""
    authorized_ip_ranges: tuple[AddressRange, ...] = Field(default=(), examples=[["203.0.113.0/24"]])
    """Addresses that may reach the cluster's API server; empty for all. Whoever runs `up` must be among them."""
    allowed_sources: tuple[AddressRange, ...] = Field(default=(), examples=[["203.0.113.0/24"]])
    """Addresses that may reach the service; empty for all."""
    network: Network = Network.PUBLIC
    """`public`: everything has an address on the internet, where it asks for an identity or a key. `private`: a network
    of the stack's own, which is reached from `peered_network` alone; whoever runs `up` must be there. It can't be
    changed later, and needs `registry_tier: Premium`."""
    network_range: AddressRange = "10.100.0.0/16"
    """With `network: private`, the addresses of the stack's network, from /16 to /23. Nothing that is peered with it
    may have the same ones."""
    peered_network: NetworkId | None = Field(
        default=None,
        examples=[EXAMPLE_NETWORK],
    )
    """With `network: private`, the network of the same subscription from which the stack is deployed and used. It must
    be there before the stack, and have no private DNS zones of its own for the stack's services."""
    container_insights: bool = False
    """Whether the pods' logs and metrics go to Log Analytics, which bills by volume."""
    traces: bool = False
    """Whether requests are traced to Application Insights, which bills by volume. The image then holds OpenTelemetry,
    and the pods may reach Azure by HTTPS; otherwise they call nobody."""
    trace_percent: float = Field(default=1.0, gt=0, le=100)
    """With `traces`, percentage of requests that are traced. Clients that send a `traceparent` decide for their own."""
    availability_test: bool = False
    """Whether Azure asks the service from five places on the internet every five minutes, and mails when three of them
    get no answer. It bills each request, about 26 USD a month; the certificate is not looked at."""
    log_cap_gb: float = Field(default=1.0, gt=0, le=1000)
    """The most GB that Log Analytics takes in a day."""
    log_retention_days: int = Field(default=30, ge=30, le=730)
    """Days for which logs are kept; the first 31 are free."""
    monthly_budget: PositiveInt | None = 500
    """Monthly budget in the subscription's currency; mails are sent at 80 % of it, spent or forecast. `null` where the
    subscription's offer has no budgets."""

    @property
    def canary_workers(self) -> int:
        """Workers of the canary run's cluster, in addition to its driver."""
        return min(self.training_workers, CANARY_WORKERS)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("system_nodes", "scoring_nodes", "replicas"):
            least, most = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if least > most:
                raise ValueError(f"{name}_min is {least} and {name}_max is {most}: it must be the other way round")
        if len(set(self.zones)) != len(self.zones):
            raise ValueError("zones names a zone twice")
        return self

    @model_validator(mode="after")
    def _asked_from_outside(self) -> Self:
        if self.availability_test and (self.network is Network.PRIVATE or self.allowed_sources):
            raise ValueError(
                "availability_test asks from the internet, which network private and allowed_sources keep out"
            )
        return self

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.network is Network.PUBLIC:
            if self.peered_network is not None:
                raise ValueError("peered_network is for `network: private`; remove it, or set that")
            return self
        if self.peered_network is None:
            raise ValueError("network private needs peered_network: the network from which the stack is deployed")
        if self.peered_network.split("/")[2] != self.subscription:
            raise ValueError("peered_network is in another subscription than the stack, and must be in the same")
        if self.registry_tier is not RegistryTier.PREMIUM:
            raise ValueError("network private needs registry_tier Premium: no other has private endpoints")
        if self.authorized_ip_ranges:
            raise ValueError("authorized_ip_ranges is for a public API server; with network private leave it out")
        nodes = self.system_nodes_max + self.scoring_nodes_max
        require_places(self.network_range, nodes=nodes, machines=self.training_workers + 1)
        return self
