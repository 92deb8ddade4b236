"""Policies for the stack's Azure resources."""

from collections.abc import Iterable, Iterator

from infra.cloud.names import PROJECT_TAG, STACK_TAG
from infra.cloud.role_list import Role
from infra.policy.rule import Properties, dig, is_production, rule

ACCOUNT = "azure-native:storage:StorageAccount"
POOL_RULE = "production-pool"
CONTAINER = "azure-native:storage:BlobContainer"
REGISTRY = "azure-native:containerregistry:Registry"
CLUSTER = "azure-native:containerservice:ManagedCluster"
POOL = "azure-native:containerservice:AgentPool"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
TAGGED = frozenset(
    {
        ACCOUNT,
        "azure-native:keyvault:Vault",
        REGISTRY,
        CLUSTER,
        POOL,
        "azure-native:machinelearningservices:Workspace",
        "azure-native:databricks:Workspace",
        "azure-native:databricks:AccessConnector",
        "azure-native:operationalinsights:Workspace",
        "azure-native:applicationinsights:Component",
        "azure-native:managedidentity:UserAssignedIdentity",
        "azure-native:monitor:ActionGroup",
    }
)
SECURE_TLS = ("TLS1_2", "TLS1_3")
FEWEST_NODES = 2
FEWEST_ZONES = 2


@rule("no-public-blobs", "Blobs can't be read without a role.", ACCOUNT)
def _public_blobs(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("allowBlobPublicAccess") is not False:
        yield "`allowBlobPublicAccess` must be set to false; the default depends on the subscription."


@rule("no-public-containers", "Containers can't be read without a role.", CONTAINER)
def _public_container(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("publicAccess") not in (None, "None"):
        yield f"`publicAccess` is {properties['publicAccess']}; it must be None."


@rule("no-shared-keys", "Storage accounts accept no shared keys.", ACCOUNT)
def _shared_keys(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("allowSharedKeyAccess") is not False:
        yield "`allowSharedKeyAccess` must be set to false; the default is true."


@rule("tls-1-2", "Storage accounts accept only TLS 1.2 or newer.", ACCOUNT)
def _old_tls(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("minimumTlsVersion") not in SECURE_TLS:
        yield f"`minimumTlsVersion` is {properties.get('minimumTlsVersion')}; it must be TLS1_2 or newer."
    if properties.get("enableHttpsTrafficOnly") is False:
        yield "`enableHttpsTrafficOnly` must not be false."


@rule("no-registry-admin", "The container registry has no admin user and no anonymous pull.", REGISTRY)
def _registry_admin(properties: Properties, _: str) -> Iterator[str]:
    for name in ("adminUserEnabled", "anonymousPullEnabled"):
        if properties.get(name):
            yield f"`{name}` must be false: builds and nodes use roles."


@rule("no-local-accounts", "The cluster accepts only Entra ID identities.", CLUSTER)
def _local_accounts(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("disableLocalAccounts") is not True:
        yield "`disableLocalAccounts` must be true: a local account is a password that never expires."


@rule("production-nodes", "In production, at least two nodes serve, in at least two zones.", POOL)
def _production_pool(properties: Properties, stack: str) -> Iterator[str]:
    if not is_production(stack):
        return
    if len(properties.get("availabilityZones") or ()) < FEWEST_ZONES:
        yield "the scoring nodes of a production stack must be in at least two zones (`azure.zones`)."
    if (properties.get("minCount") or 0) < FEWEST_NODES:
        yield f"a production stack needs at least {FEWEST_NODES} scoring nodes (`azure.scoring_nodes_min`)."


@rule("production-sla", "In production, the API server has an SLA.", CLUSTER)
def _production_cluster(properties: Properties, stack: str) -> Iterator[str]:
    if is_production(stack) and dig(properties, "sku.tier") == "Free":
        yield "a production stack needs an SLA for its API server (`azure.kubernetes_tier: Standard`)."


@rule("required-tags", "Every resource is tagged with its project and stack.", *TAGGED)
def _missing_tags(properties: Properties, _: str) -> Iterator[str]:
    missing = [name for name in (PROJECT_TAG, STACK_TAG) if not dig(properties, f"tags.{name}")]
    if missing:
        yield f"the tags {', '.join(missing)} are missing; they show whose a resource is and what a stack costs."


@rule("known-roles", "Only the listed built-in roles are assigned.", ASSIGNMENT)
def _wide_role(properties: Properties, _: str) -> Iterator[str]:
    role = str(properties["roleDefinitionId"]).rpartition("/")[2].lower()
    if role not in set(Role):
        yield f"the role {role} is not listed in `infra/cloud/role_list.py`."


@rule("narrow-scopes", "Roles are assigned within a resource group, never on a subscription.", ASSIGNMENT)
def _wide_scope(properties: Properties, _: str) -> Iterator[str]:
    if "/resourcegroups/" not in str(properties["scope"]).lower():
        yield f"the scope {properties['scope']} is wider than a resource group."


def missing_pool(resources: Iterable[tuple[str, Properties]]) -> Iterator[str]:
    """A sentence if a production stack of these resources runs its service on the system nodes."""
    given = list(resources)
    stacks = [str(dig(properties, f"tags.{STACK_TAG}")) for kind, properties in given if kind == CLUSTER]
    if any(map(is_production, stacks)) and all(kind != POOL for kind, _ in given):
        yield "the service of a production stack needs nodes of its own (`azure.scoring_nodes_max`)."


RULES = (
    _public_blobs,
    _public_container,
    _shared_keys,
    _old_tls,
    _registry_admin,
    _local_accounts,
    _production_pool,
    _production_cluster,
    _missing_tags,
    _wide_role,
    _wide_scope,
)
