"""Policies for the stack's Azure resources."""

from collections.abc import Iterable, Iterator

from infra.cloud.names import BUDGET_TAG, NO_BUDGET, PROJECT_TAG, STACK_TAG
from infra.cloud.role_list import Role
from infra.policy.rule import Properties, Rule, dig, is_production

ACCOUNT = "azure-native:storage:StorageAccount"
BUDGET = "azure-native:consumption:Budget"
BUDGET_RULE = "budget-present"
CONTAINER = "azure-native:storage:BlobContainer"
REGISTRY = "azure-native:containerregistry:Registry"
CLUSTER = "azure-native:containerservice:ManagedCluster"
POOL = "azure-native:containerservice:AgentPool"
GROUP = "azure-native:resources:ResourceGroup"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
TAGGED = frozenset(
    {
        GROUP,
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


def _public_blobs(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("allowBlobPublicAccess") is not False:
        yield "`allowBlobPublicAccess` must be false, and said: left out, it depends on the subscription."


def _public_container(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("publicAccess") not in (None, "None"):
        yield f"`publicAccess` is {properties['publicAccess']}; it must be None."


def _shared_keys(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("allowSharedKeyAccess") is not False:
        yield "`allowSharedKeyAccess` must be false, and said: left out, it is true."


def _old_tls(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("minimumTlsVersion") not in SECURE_TLS:
        yield f"`minimumTlsVersion` is {properties.get('minimumTlsVersion')}; it must be TLS1_2 or newer."
    if properties.get("enableHttpsTrafficOnly") is False:
        yield "`enableHttpsTrafficOnly` must not be false."


def _registry_admin(properties: Properties, _: str) -> Iterator[str]:
    for name in ("adminUserEnabled", "anonymousPullEnabled"):
        if properties.get(name):
            yield f"`{name}` must be false: builds and nodes have roles."


def _local_accounts(properties: Properties, _: str) -> Iterator[str]:
    if properties.get("disableLocalAccounts") is not True:
        yield "`disableLocalAccounts` must be true: a local account is a password that never ends."


def _production_pool(properties: Properties, stack: str) -> Iterator[str]:
    if not is_production(stack):
        return
    if len(properties.get("availabilityZones") or ()) < FEWEST_ZONES:
        yield "nodes that serve users must lie in at least two zones (`azure.zones`)."
    if (properties.get("minCount") or 0) < FEWEST_NODES:
        yield f"nodes that serve users are at least {FEWEST_NODES} (`azure.scoring_nodes_min`)."


def _production_cluster(properties: Properties, stack: str) -> Iterator[str]:
    if is_production(stack) and dig(properties, "sku.tier") == "Free":
        yield "a cluster that serves users needs an SLA for its API server (`azure.kubernetes_tier`: Standard)."


def _missing_tags(properties: Properties, _: str) -> Iterator[str]:
    missing = [name for name in (PROJECT_TAG, STACK_TAG) if not dig(properties, f"tags.{name}")]
    if missing:
        yield f"the tags {', '.join(missing)} are missing: without them nobody can tell whose it is and what it costs."


def _wide_role(properties: Properties, _: str) -> Iterator[str]:
    role = str(properties["roleDefinitionId"]).rpartition("/")[2].lower()
    if role not in set(Role):
        yield f"the role {role} is not on the list of `infra/cloud/role_list.py`."


def _wide_scope(properties: Properties, _: str) -> Iterator[str]:
    if "/resourcegroups/" not in str(properties["scope"]).lower():
        yield f"the scope {properties['scope']} is more than one resource: no role of a stack is that wide."


def missing_budget(resources: Iterable[tuple[str, Properties]]) -> Iterator[str]:
    """A sentence when a stack of these resources spends money on Azure without a budget, and does not say so.

    Offers without budgets exist: `monthly_budget: null` leaves it out, and its groups have a tag then.
    """
    given = list(resources)
    groups = [properties for kind, properties in given if kind == GROUP]
    given_up = bool(groups) and all(dig(properties, f"tags.{BUDGET_TAG}") == NO_BUDGET for properties in groups)
    if groups and not given_up and all(kind != BUDGET for kind, _ in given):
        yield (
            "the stack has no budget. Set `azure.monthly_budget`, or set it to null where the subscription's offer "
            f"has no budgets: the groups then say so by the tag `{BUDGET_TAG}`."
        )


RULES = (
    Rule(
        name="no-public-blobs",
        description="Nobody reads blobs without a role.",
        types=frozenset({ACCOUNT}),
        check=_public_blobs,
    ),
    Rule(
        name="no-public-containers",
        description="Nobody reads a container without a role.",
        types=frozenset({CONTAINER}),
        check=_public_container,
    ),
    Rule(
        name="no-shared-keys",
        description="Storage takes no keys.",
        types=frozenset({ACCOUNT}),
        check=_shared_keys,
    ),
    Rule(
        name="tls-1-2",
        description="Storage takes TLS 1.2 or newer.",
        types=frozenset({ACCOUNT}),
        check=_old_tls,
    ),
    Rule(
        name="no-registry-admin",
        description="The container registry has no admin user and no anonymous pull.",
        types=frozenset({REGISTRY}),
        check=_registry_admin,
    ),
    Rule(
        name="no-local-accounts",
        description="The cluster knows Entra ID alone.",
        types=frozenset({CLUSTER}),
        check=_local_accounts,
    ),
    Rule(
        name="production-nodes",
        description="In production, at least two nodes serve, in at least two zones.",
        types=frozenset({POOL}),
        check=_production_pool,
    ),
    Rule(
        name="production-sla",
        description="In production, the API server has an SLA.",
        types=frozenset({CLUSTER}),
        check=_production_cluster,
    ),
    Rule(
        name="required-tags",
        description="Every resource says whose it is.",
        types=TAGGED,
        check=_missing_tags,
    ),
    Rule(
        name="known-roles",
        description="No role is wider than the listed ones.",
        types=frozenset({ASSIGNMENT}),
        check=_wide_role,
    ),
    Rule(
        name="narrow-scopes",
        description="A role is on something in a resource group, never on a subscription.",
        types=frozenset({ASSIGNMENT}),
        check=_wide_scope,
    ),
)
