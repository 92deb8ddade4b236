"""Types of the settings for Azure: choices, and text of a certain form. Imports no SDK."""

import ipaddress
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, StringConstraints

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
GroupName = Annotated[str, StringConstraints(pattern=r"^[\w\-.()]{0,89}[\w\-()]$")]
VmSize = Annotated[str, StringConstraints(pattern=r"^Standard_[A-Za-z0-9_-]+$")]
Mail = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
EXAMPLE_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hub"
EXAMPLE_NETWORK = f"{EXAMPLE_GROUP}/providers/Microsoft.Network/virtualNetworks/hub"
EXAMPLE_LOGS = f"{EXAMPLE_GROUP}/providers/Microsoft.OperationalInsights/workspaces/logs"


def other_regions(location: str) -> str:
    """Large regions to try where `location` has no machines."""
    return " or ".join(region for region in ("northeurope", "swedencentral", "westeurope") if region != location)


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
    databricks_name: str | None = None
    """Its name in Databricks: a mail address, a group's name or an application's client id. Without it a deployer can
    neither change nor delete there what another one has created."""
