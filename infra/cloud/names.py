"""Physical names, computed from project, stack, subscription and suffix, so that an interrupted run finds them again.

Some names must be unique worldwide, and some stay reserved for days after a deletion. So each contains a hash of these
four values, and `destroy` changes the suffix. The groups and the budget outlive a destroy: their names leave the suffix
out.
"""

import base64
import hashlib
import re
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.azure_settings import AzureSettings

PROJECT = "personalization"
PROJECT_TAG = "project"
STACK_TAG = "stack"
TOKEN_LENGTH = 10
READABLE_LENGTH = 8
SYSTEM_POOL = "system"
POOL_PREFIX = "s"
POOL_TOKEN_LENGTH = 10


class Name:
    """A name in `Names`: this beginning, then letters and digits of the stack's name and of the token."""

    def __init__(self, beginning: str, *, lasts: bool = False) -> None:
        """`beginning` has a hyphen at its end unless the service allows none. What `lasts` outlives a destroy, and so
        has a name without the suffix.
        """
        self._beginning, self._lasts = beginning, lasts

    def __get__(self, names: "Names", _: object = None) -> str:
        """The whole name."""
        return f"{self._beginning}{names.readable}{names.lasting_token if self._lasts else names.token}"


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one stack. Each is valid for its service, whatever the stack's name (tested)."""

    stack: str
    subscription: str
    suffix: str
    project: str = PROJECT

    @cached_property
    def token(self) -> str:
        """Ten lower-case letters and digits, different for each project, stack, subscription and suffix."""
        parts = (self.project, self.stack, self.subscription.lower(), self.suffix)
        return _token("\n".join(parts), TOKEN_LENGTH)

    @property
    def lasting_token(self) -> str:
        """The same for every suffix."""
        return _token("\n".join((self.project, self.stack, self.subscription.lower())), TOKEN_LENGTH)

    @property
    def readable(self) -> str:
        """At most eight lower-case letters and digits of the stack's name."""
        return re.sub("[^a-z0-9]", "", self.stack.lower())[:READABLE_LENGTH]

    databricks_group = Name("rg-databricks-")
    """Resource group that Databricks creates and manages; it must not exist before."""
    nodes_group = Name("rg-nodes-")
    """Resource group that AKS creates for its nodes."""
    lake = Name("lake")
    """Storage account of the data lake."""
    workspace_storage = Name("ml")
    """Storage account for Azure ML's own files."""
    registry = Name("acr")
    """Container registry."""
    vault = Name("kv")
    """Key Vault."""
    logs = Name("logs-")
    """Log Analytics workspace."""
    insights = Name("insights-")
    """Application Insights."""
    machine_learning = Name("ml-")
    """Azure ML workspace."""
    databricks = Name("databricks-")
    """Databricks workspace."""
    connector = Name("lake-access-")
    """The identity with which Databricks accesses the lake."""
    cluster = Name("aks-")
    """AKS cluster."""
    dns_prefix = Name("aks-")
    """First label of the API server's host."""
    dns_label = Name("score-")
    """First label of the service's host, unique in the region."""
    scoring_identity = Name("id-scoring-")
    """The identity of the service's pods."""
    network = Name("network-")
    """The network of a private stack, and its peerings."""
    cluster_identity = Name("id-aks-")
    """The identity of a private stack's cluster."""
    action_group = Name("operators-")
    """The action group for alerts."""
    container_rule = Name("containers-")
    """The data collection rule for the pods' logs."""

    training_group = Name("rg-training-", lasts=True)
    """Resource group of data, training and registry."""
    serving_group = Name("rg-serving-", lasts=True)
    """Resource group of the cluster and everything that serves."""
    budget = Name("budget-", lasts=True)
    """The budget."""

    @property
    def private_host(self) -> str:
        """The service's host in a private stack: its own DNS zone below `internal`, which is reserved for private
        use."""
        return f"{self.dns_label}.internal"

    @property
    def catalog_object(self) -> str:
        """Storage credential, external locations and catalog in Unity Catalog, unique in the metastore."""
        return f"lake_{self.readable}{self.token}"

    def part(self, name: str) -> str:
        """An alert rule, or a part of a private stack's network."""
        return f"{name}-{self.readable}{self.token}"

    def scoring_pool(self, *properties: str) -> str:
        """The scoring pool. Its name depends on the properties, because a pool's VM size can't be changed in place."""
        return POOL_PREFIX + _token("\n".join(properties), POOL_TOKEN_LENGTH)


def names_of(stack: str, settings: "AzureSettings") -> Names:
    """The names of the stack with these settings."""
    return Names(stack=stack, subscription=settings.subscription, suffix=settings.suffix)


def lake_path(names: Names, settings: "AzureSettings") -> str:
    """The Resource Manager's path of the lake of the stack with these names."""
    return f"{settings.group_id(names.training_group)}/providers/Microsoft.Storage/storageAccounts/{names.lake}"


def tags_of(settings: "AzureSettings", stack: str) -> dict[str, str]:
    """The tags of every resource: the user's own, the project and the stack."""
    return {**settings.tags, PROJECT_TAG: PROJECT, STACK_TAG: stack}


def resource_groups(names: Names) -> tuple[str, ...]:
    """The names of all resource groups of a stack."""
    return names.training_group, names.serving_group, names.databricks_group, names.nodes_group


def role_assignment_name(scope: str, role: str, principal: str) -> str:
    """The GUID of a role assignment, computed from scope, role and principal."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}|{role.lower()}|{principal.lower()}"))


def _token(text: str, length: int) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(digest).decode().lower()[:length]
