"""The settings of a stack on Azure, with their types. Imports no SDK, because stack `local` reads this model too."""

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PositiveInt,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from infra.private import require_places
from tools.versions import KUBERNETES
from training.parameters import Parameters

ANYWHERE = "anywhere"
Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
AddressRange = Annotated[str, StringConstraints(pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$")]
_GROUP = r"^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+"
GroupId = Annotated[str, StringConstraints(pattern=rf"{_GROUP}$")]
NetworkId = Annotated[str, StringConstraints(pattern=rf"{_GROUP}/providers/Microsoft\.Network/virtualNetworks/[^/]+$")]
LogsId = Annotated[
    str, StringConstraints(pattern=rf"{_GROUP}/providers/Microsoft\.OperationalInsights/workspaces/[^/]+$")
]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")]
VmSize = Annotated[str, StringConstraints(pattern=r"^Standard_[A-Za-z0-9_-]+$")]
Mail = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
EXAMPLE_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hub"
EXAMPLE_NETWORK = f"{EXAMPLE_GROUP}/providers/Microsoft.Network/virtualNetworks/hub"
EXAMPLE_LOGS = f"{EXAMPLE_GROUP}/providers/Microsoft.OperationalInsights/workspaces/logs"


def other_regions(location: str) -> str:
    """Large regions to try where `location` has no machines."""
    return " or ".join(region for region in ("northeurope", "swedencentral", "westeurope") if region != location)


def has_own_disk(vm_size: str) -> bool:
    """Whether VMs of a size have a local disk, which a `d` in its name says (Microsoft, "VM naming conventions")."""
    return re.match(r"Standard_[A-Z]+\d+(-\d+)?[a-z]*d", vm_size) is not None


def _ranges(value: object) -> object:
    """The word `anywhere`, or IPv4 ranges; raises `ValueError` for anything else, an empty list too."""
    given = value if isinstance(value, list | tuple) else ()
    if value == ANYWHERE or (given and all(_is_range(one) for one in given)):
        return value
    raise ValueError("must be a list of IPv4 ranges, at least one, or the word `anywhere`")


def _is_range(text: object) -> bool:
    try:
        ipaddress.IPv4Network(str(text))
    except ValueError:
        return False
    return "/" in str(text)


AddressRanges = Annotated[Literal["anywhere"] | tuple[str, ...], BeforeValidator(_ranges)]


class PrincipalType(StrEnum):
    """The kind of an Entra ID principal."""

    USER = "User"
    GROUP = "Group"
    SERVICE_PRINCIPAL = "ServicePrincipal"


class KubernetesTier(StrEnum):
    """The pricing tier of the cluster's control plane, which decides its SLA."""

    FREE = "Free"
    STANDARD = "Standard"


class RegistryTier(StrEnum):
    """Size and speed of the container registry."""

    BASIC = "Basic"
    STANDARD = "Standard"
    PREMIUM = "Premium"


class Replication(StrEnum):
    """Where Azure keeps the copies of the data."""

    LOCAL = "Standard_LRS"
    ZONES = "Standard_ZRS"


class Network(StrEnum):
    """Where the stack can be reached from."""

    PUBLIC = "public"
    PRIVATE = "private"


class Zone(StrEnum):
    """An availability zone."""

    FIRST = "1"
    SECOND = "2"
    THIRD = "3"


class Deployer(Parameters):
    """A principal that may run `up`. All deployers get the same roles."""

    object_id: Guid
    """The object id in Entra ID."""
    type: PrincipalType
    """Its kind."""
    databricks_name: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)] | None = None
    """Its name in Databricks, where the stack makes it a workspace admin: a mail address, an application's client ID,
    or the name of a group in Databricks' account. Only a single deployer that is not a group needs none."""

    @field_validator("databricks_name")
    @classmethod
    def _as_databricks_writes_it(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Mail addresses and client IDs in lower case, or a grant would not be found again (issue 4043 of
        databricks/terraform-provider-databricks)."""
        return value if value is None or info.data.get("type") is PrincipalType.GROUP else value.lower()


class AzureSettings(Parameters):
    """Where the stack is on Azure, how large it is and who may change it."""

    subscription: Guid = Field(examples=["00000000-0000-0000-0000-000000000000"])
    """The subscription's id."""
    tenant: Guid = Field(examples=["00000000-0000-0000-0000-000000000000"])
    """The Entra ID tenant of the subscription."""
    deployers: tuple[Deployer, ...] = Field(min_length=1)
    """The principals that may run `up`; each is `{object_id, type, databricks_name}`."""
    alert_mail: Mail = Field(examples=["operators@example.com"])
    """Mail address for alerts, failed training runs and budget warnings."""
    location: Region = "swedencentral"
    """The Azure region. A change would delete the stored data, so `up` refuses it."""
    suffix: str = Field(default="a", pattern=r"^[a-z0-9]{1,8}$")
    """Part of the names of all that `destroy` deletes. Azure reserves these for days, so `destroy` changes it."""
    github_repository: str | None = Field(default=None, pattern=r"^[^/\s]+/[^/\s]+$", examples=["owner/name"])
    """The GitHub repository whose workflows may deploy; `.venv/bin/personalize bootstrap` creates OIDC identities."""
    github_subject: str = Field(default="repo:{repository}", examples=["repo:owner@1234/name@5678"])
    """The beginning of the subject in GitHub's OIDC tokens. For repositories created since July 2026 it contains IDs;
    `gh api repos/OWNER/NAME/actions/oidc/customization/sub` shows it."""
    tags: dict[str, str] = Field(default={}, examples=[{"owner": "team"}])
    """Tags on every resource, in addition to the project's own."""
    protect: bool = False
    """Whether Pulumi refuses to delete resources that hold data."""
    storage_replication: Replication = Replication.LOCAL
    """Where the copies of the data are kept: in one data centre or in three availability zones."""
    registry_tier: RegistryTier = RegistryTier.BASIC
    """Size and speed of the container registry."""
    training_vm_size: VmSize = "Standard_E4ds_v5"
    """VM size of the training cluster's nodes."""
    training_workers: int = Field(default=0, ge=0, le=100)
    """Workers of the training cluster in addition to its driver; 0 trains on the driver alone. The number is fixed
    during a training run, because LightGBM can't continue after a change."""
    training_run_as: Guid | None = Field(default=None, examples=["00000000-0000-0000-0000-000000000000"])
    """The application ID of the service principal that training jobs run as, best that of GitHub's workflows; other
    deployers need Databricks' role "Service principal user" on it. By default the jobs run as the deployer that first
    ran `up`."""
    training_timeout_minutes: int = Field(default=240, ge=10, le=2880)
    """Timeout of a training run, in minutes."""
    kubernetes_version: str = Field(default=KUBERNETES, pattern=r"^1\.\d{2}$")
    """Minor version of Kubernetes; patches are applied automatically in the maintenance window."""
    kubernetes_tier: KubernetesTier = KubernetesTier.FREE
    """`Standard` costs about 73 USD a month and includes an SLA for the API server."""
    zones: tuple[Zone, ...] = ()
    """Availability zones of the nodes; empty for none."""
    system_vm_size: VmSize = "Standard_D4ds_v5"
    """VM size of the nodes that run the cluster's own pods, with at least 4 cores. It can't be changed later. Nodes of
    a size with a local disk, a `d` in its name, have their system disk there, at no cost."""
    system_nodes_min: int = Field(default=1, ge=1, le=100)
    """Minimum number of nodes for the cluster's own pods."""
    system_nodes_max: int = Field(default=2, ge=1, le=100)
    """Maximum number of nodes for the cluster's own pods."""
    scoring_vm_size: VmSize = "Standard_D2ds_v5"
    """VM size of the scoring nodes. A change creates a new node pool, moves the pods, then removes the old pool."""
    scoring_nodes_min: int = Field(default=1, ge=1, le=1000)
    """Minimum number of scoring nodes."""
    scoring_nodes_max: int = Field(default=3, ge=0, le=1000)
    """Maximum number of scoring nodes; with 0 the service runs on the system nodes."""
    replicas_min: int = Field(default=2, ge=1, le=1000)
    """Minimum number of pods of the service."""
    replicas_max: int = Field(default=6, ge=1, le=1000)
    """Maximum number of pods of the service; the autoscaler follows the load in between."""
    cpu_millicores: int = Field(default=500, ge=100, le=64_000)
    """CPU of each pod of the service, in thousandths of a core."""
    memory_mib: int = Field(default=768, ge=256, le=262_144)
    """Memory of each pod of the service, in MiB."""
    rollout_seconds: int = Field(default=300, ge=30, le=3600)
    """Seconds without progress after which a rollout fails; the pods of the previous version keep serving."""
    authorized_ip_ranges: AddressRanges = Field(examples=[["203.0.113.0/24"], "anywhere"])
    """IP ranges that may reach the cluster's API server, or `anywhere`. They must include the machine that runs `up`.
    With `network: private` only `anywhere` is possible: it means everybody in the network."""
    allowed_sources: AddressRanges = Field(examples=[["203.0.113.0/24"], "anywhere"])
    """IP ranges that may reach the service, or `anywhere`."""
    network: Network = Network.PUBLIC
    """`public`: all services have public endpoints, which require an identity or an API key. `private`: the stack has
    its own virtual network, reachable only from `peered_network`, where `up` must run too. It can't be changed later,
    and `private` needs `registry_tier: Premium`."""
    network_range: AddressRange = "10.100.0.0/16"
    """With `network: private`, the address range of the stack's network, from /16 to /23. It must not overlap with
    peered networks."""
    peered_network: NetworkId | None = Field(
        default=None,
        examples=[EXAMPLE_NETWORK],
    )
    """With `network: private`, the existing virtual network in the same subscription from which the stack is deployed
    and used. It must not have private DNS zones for the stack's services."""
    private_dns_zones: GroupId | None = Field(default=None, examples=[EXAMPLE_GROUP])
    """With `network: private`, the ID of a resource group that has the private DNS zones of all the stack's services,
    linked to `peered_network`, instead of zones of the stack's own. `up` links them to the stack's network."""
    container_insights: bool = False
    """Whether the pods' logs and metrics are sent to Log Analytics, which bills by volume."""
    log_analytics: LogsId | None = Field(default=None, examples=[EXAMPLE_LOGS])
    """The ID of an existing Log Analytics workspace, whose own cap and retention then apply, instead of one of the
    stack's own."""
    log_cap_gb: float = Field(default=1.0, gt=0, le=1000)
    """Daily cap of Log Analytics, in GB."""
    log_retention_days: int = Field(default=30, ge=30, le=730)
    """Retention of logs, in days; the first 31 are free."""
    monthly_budget: PositiveInt | None = 500
    """Monthly budget in the subscription's currency; a mail is sent when 80 % of it is spent or forecast. Use `null` if
    the subscription's offer has no budgets."""

    def group_id(self, name: str) -> str:
        """The ID of a resource group in the subscription."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{name}"

    @property
    def shares_nodes(self) -> bool:
        """Whether the service runs on the system nodes, without a pool of its own."""
        return self.scoring_nodes_max == 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("system_nodes", "scoring_nodes", "replicas"):
            least, most = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            unused = most == 0 and f"{name}_min" not in self.model_fields_set
            if least > most and not unused:
                raise ValueError(f"{name}_min is {least} and {name}_max is {most}: the minimum must not be larger")
        if len(set(self.zones)) != len(self.zones):
            raise ValueError("zones contains a zone twice")
        _require_network(self)
        return self


def _require_network(settings: AzureSettings) -> None:
    """Raise `ValueError` if settings of a private network are missing, contradict others, or are a public stack's."""
    given = {"peered_network": settings.peered_network, "private_dns_zones": settings.private_dns_zones}
    if settings.network is Network.PUBLIC:
        for name, value in given.items():
            if value is not None:
                raise ValueError(f"{name} is for `network: private`: remove it, or set that")
        return
    if settings.peered_network is None:
        raise ValueError("network private needs peered_network: the network from which the stack is deployed")
    for name, value in given.items():
        if value is not None and value.split("/")[2] != settings.subscription:
            raise ValueError(f"{name} must be in the stack's subscription")
    if settings.registry_tier is not RegistryTier.PREMIUM:
        raise ValueError("network private needs registry_tier Premium: no other has private endpoints")
    if settings.authorized_ip_ranges != ANYWHERE:
        raise ValueError(
            "authorized_ip_ranges is for a public API server: with network private, whose API server only the network "
            "reaches, write `anywhere`"
        )
    nodes = settings.system_nodes_max + settings.scoring_nodes_max
    require_places(settings.network_range, nodes=nodes, machines=settings.training_workers + 1)
