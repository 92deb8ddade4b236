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


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one stack. Each is valid for its service, whatever the stack's name (tested)."""

    stack: str
    subscription: str
    suffix: str
    project: str = PROJECT
    given_training: str | None = None
    """An existing resource group instead of `rg-training-...`."""
    given_serving: str | None = None

    @cached_property
    def token(self) -> str:
        """Ten lower-case letters and digits, different for each project, stack, subscription and suffix."""
        parts = (self.project, self.stack, self.subscription.lower(), self.suffix)
        return _token("\n".join(parts), TOKEN_LENGTH)

    @property
    def training_group(self) -> str:
        """Resource group of data, training and registry. It outlives a destroy, and so has no suffix."""
        return self.given_training or self._lasting("rg-training")

    @property
    def serving_group(self) -> str:
        """Resource group of the cluster and everything that serves. See `training_group`."""
        return self.given_serving or self._lasting("rg-serving")

    @property
    def databricks_group(self) -> str:
        """Resource group that Databricks creates and manages; it must not exist before."""
        return self._long("rg-databricks")

    @property
    def nodes_group(self) -> str:
        """Resource group that AKS creates for its nodes."""
        return self._long("rg-nodes")

    @property
    def lake(self) -> str:
        """Storage account of the data lake."""
        return self._short("lake")

    @property
    def workspace_storage(self) -> str:
        """Storage account for Azure ML's own files."""
        return self._short("ml")

    @property
    def registry(self) -> str:
        """Container registry."""
        return self._short("acr")

    @property
    def vault(self) -> str:
        """Key Vault."""
        return self._short("kv")

    @property
    def logs(self) -> str:
        """Log Analytics workspace."""
        return self._long("logs")

    @property
    def insights(self) -> str:
        """Application Insights."""
        return self._long("insights")

    @property
    def machine_learning(self) -> str:
        """Azure ML workspace."""
        return self._long("ml")

    @property
    def databricks(self) -> str:
        """Databricks workspace."""
        return self._long("databricks")

    @property
    def connector(self) -> str:
        """The identity with which Databricks accesses the lake."""
        return self._long("lake-access")

    @property
    def cluster(self) -> str:
        """AKS cluster."""
        return self._long("aks")

    @property
    def dns_prefix(self) -> str:
        """First label of the API server's host."""
        return self._long("aks")

    @property
    def dns_label(self) -> str:
        """First label of the service's host, unique in the region."""
        return self._long("score")

    @property
    def scoring_identity(self) -> str:
        """The identity of the service's pods."""
        return self._long("id-scoring")

    @property
    def network(self) -> str:
        """The network of a private stack, and its peerings."""
        return self._long("network")

    @property
    def cluster_identity(self) -> str:
        """The identity of a private stack's cluster."""
        return self._long("id-aks")

    @property
    def private_host(self) -> str:
        """The service's host in a private stack: its own DNS zone below `internal`, which is reserved for private
        use."""
        return f"{self.dns_label}.internal"

    @property
    def action_group(self) -> str:
        """The action group for alerts."""
        return self._long("operators")

    @property
    def container_rule(self) -> str:
        """The data collection rule for the pods' logs."""
        return self._long("containers")

    @property
    def budget(self) -> str:
        """The budget. It outlives a destroy too."""
        return self._lasting("budget")

    @property
    def workbook(self) -> str:
        """The workbook; Azure requires a GUID."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"workbook/{self.token}"))

    @property
    def catalog_object(self) -> str:
        """Storage credential, external locations and catalog in Unity Catalog, unique in the metastore."""
        return self._long("lake").replace("-", "_")

    def of_network(self, name: str) -> str:
        """A part of a private stack's network."""
        return self._long(name)

    def alert(self, name: str) -> str:
        """An alert rule."""
        return self._long(name)

    def scoring_pool(self, *properties: str) -> str:
        """The scoring pool. Its name depends on the properties, because a pool's VM size can't be changed in place."""
        return POOL_PREFIX + _token("\n".join(properties), POOL_TOKEN_LENGTH)

    def _long(self, prefix: str) -> str:
        """At most 34 characters: lower-case letters, digits and single hyphens between them."""
        return f"{prefix}-{self._readable}{self.token}"

    def _lasting(self, prefix: str) -> str:
        """The same form, for what stays when the suffix changes."""
        token = _token("\n".join((self.project, self.stack, self.subscription.lower())), TOKEN_LENGTH)
        return f"{prefix}-{self._readable}{token}"

    def _short(self, prefix: str) -> str:
        """At most 22 lower-case letters and digits, the first a letter."""
        return f"{prefix}{self._readable}{self.token}"

    @property
    def _readable(self) -> str:
        return re.sub("[^a-z0-9]", "", self.stack.lower())[:READABLE_LENGTH]


def names_of(stack: str, settings: "AzureSettings") -> Names:
    """The names of the stack with these settings."""
    return Names(
        stack=stack,
        subscription=settings.subscription,
        suffix=settings.suffix,
        given_training=settings.training_group,
        given_serving=settings.serving_group,
    )


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
