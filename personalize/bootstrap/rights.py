"""The rights of deployers, of GitHub's workflows and of those who read data in containers of others.

Deployers have them in their stack's groups: Contributor on the subscription would let a deployer of `dev` into the lake
of `prod`.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure_clients.resource_manager import ResourceManager
from infra.azure_settings import AzureSettings, PrincipalType
from infra.cloud.names import Names, names_of, role_assignment_name
from infra.cloud.role_list import Role
from personalize.bootstrap.names import StateNames
from personalize.bootstrap.resources import TAGS, Item, group_paths

if TYPE_CHECKING:
    from training.datasets.placed.listing import Address

ROLE_VERSION = "2022-04-01"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
ROLE_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"
LOG_CONTRIBUTOR = "92aaf0da-9dab-42b6-94a3-d43ce8d16293"
KEY_USER = "12338af0-0e69-4776-bea7-57ae8d297424"
ROLE_NAMES: dict[str, str] = {
    CONTRIBUTOR: "Contributor",
    READER: "Reader",
    ROLE_ADMINISTRATOR: "Role Based Access Control Administrator, only for the stack's roles",
    BLOB_READER: "Storage Blob Data Reader",
    KEY_USER: "Key Vault Crypto User",
    Role.BLOB_DATA_CONTRIBUTOR: "Storage Blob Data Contributor",
    Role.CLUSTER_USER: "Azure Kubernetes Service Cluster User Role",
    Role.NETWORK_CONTRIBUTOR: "Network Contributor",
    ZONE_CONTRIBUTOR: "Private DNS Zone Contributor",
    LOG_CONTRIBUTOR: "Log Analytics Contributor",
}
DEFINITIONS = "providers/Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"
READS = (
    "Microsoft.Compute/locations/usages/read",
    "Microsoft.Compute/skus/read",
    "Microsoft.ContainerService/locations/kubernetesVersions/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resources/read",
)
"""What `doctor` and `destroy` ask of the whole subscription. Names: Microsoft, "Azure permissions"."""
MANAGED_GROUPS = (
    "Microsoft.Compute/register/action",
    "Microsoft.ManagedIdentity/register/action",
    "Microsoft.Network/register/action",
    "Microsoft.Storage/register/action",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Resources/deployments/read",
    "Microsoft.Resources/deployments/validate/action",
    "Microsoft.Resources/deployments/write",
)
"""What Databricks needs of its creator to make the workspace's managed group, beside rights on workspaces and access
connectors (Microsoft, "Get started with a free trial", "Permissions"). They let nobody into an existing group, though a
deployer may change a group's tags. AKS makes its group itself and needs no such right (Microsoft, "Azure Kubernetes
Service permissions", "Identity creating and operating the cluster"; github.com/Azure/AKS, issue 1671: the owner of one
group created a cluster, and got no role in the cluster's group)."""


def deployer_role(subscription: str) -> Item:
    """The subscription's own role for deployers."""
    scope = f"/subscriptions/{subscription}"
    properties = {
        "roleName": f"Personalization deployer of {subscription}",  # unique in the directory
        "description": "Reads quota and lists of resources; lets Databricks create its managed group.",
        "type": "CustomRole",
        "permissions": [{"actions": [*READS, *MANAGED_GROUPS], "notActions": []}],
        "assignableScopes": [scope],
    }
    return Item(
        "the deployers' own role",
        f"{scope}/{DEFINITIONS}/{deployer_role_id(subscription)}",
        ROLE_VERSION,
        {"properties": properties},
        settled=lambda found: set(found["properties"]["permissions"][0]["actions"]) == {*READS, *MANAGED_GROUPS},
    )


def deployer_role_id(subscription: str) -> str:
    """The GUID of that role."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"personalization-deployer/{subscription.lower()}"))


@dataclass(frozen=True)
class Right:
    """A role on a resource or a group, with a condition if the role is limited."""

    role: str
    scope: str
    condition: str = ""


def deployer_rights(stack: str, settings: AzureSettings) -> Iterator[Right]:
    """The rights of a stack's deployers: in its two groups, on given resources, and on its own state."""
    for group in group_paths(names_of(stack, settings)):
        yield Right(CONTRIBUTOR, group)
        yield Right(ROLE_ADMINISTRATOR, group, only_roles(*Role))
    if settings.peered_network is not None:
        yield Right(Role.NETWORK_CONTRIBUTOR, settings.peered_network)
    if settings.private_dns_zones is not None:
        yield Right(ZONE_CONTRIBUTOR, settings.private_dns_zones)
    if settings.log_analytics is not None:
        yield Right(LOG_CONTRIBUTOR, settings.log_analytics)
    yield Right(deployer_role_id(settings.subscription), f"/subscriptions/{settings.subscription}")
    state = StateNames(subscription=settings.subscription, stack=stack)
    yield Right(Role.BLOB_DATA_CONTRIBUTOR, state.container_path)
    yield Right(KEY_USER, state.key_path)


def given(right: Right, who: str, principal: str | None, kind: PrincipalType) -> Item:
    """The assignment of a right to `who`, whose object ID is None as long as it is not known."""
    definition = f"/subscriptions/{right.scope.split('/')[2]}/{DEFINITIONS}/{right.role}"
    properties = {"roleDefinitionId": definition, "principalId": principal, "principalType": kind.value}
    limited = {"condition": right.condition, "conditionVersion": "2.0"} if right.condition else {}
    return Item(
        f"role {ROLE_NAMES.get(right.role, 'of deployers')} of {who} on {right.scope.rpartition('/')[2]}",
        principal and f"{right.scope}/{ASSIGNMENTS}/{role_assignment_name(right.scope, right.role, principal)}",
        ROLE_VERSION,
        {"properties": properties | limited},
        # The portal's editor adds white space, and Azure may return null.
        settled=lambda found: (
            "".join((found["properties"].get("condition") or "").split()) == "".join(right.condition.split())
        ),
    )


def only_roles(*roles: str) -> str:
    """A condition that allows assigning and removing only these roles (Azure's attribute-based access control)."""
    allowed = ", ".join(sorted(roles))
    attribute = "[Microsoft.Authorization/roleAssignments:RoleDefinitionId]"
    clauses = (("write", "@Request"), ("delete", "@Resource"))
    return " AND ".join(
        f"((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/{action}'}})) OR "
        f"({source}{attribute} ForAnyOfAnyValues:GuidEquals {{{allowed}}}))"
        for action, source in clauses
    )


IDENTITY_VERSION = "2023-01-31"
ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Workflows:
    """The workflows of the settings' repository for one stack."""

    stack: str
    settings: AzureSettings

    @property
    def names(self) -> StateNames:
        """The names of what the bootstrap creates."""
        return StateNames(subscription=self.settings.subscription, stack=self.stack)

    def environments(self, *, preview: bool) -> tuple[str, ...]:
        """The GitHub environments in which workflows with this identity run.

        The nightly one is for runs on the main branch without an approval.
        """
        return (f"{self.stack}-preview",) if preview else (self.stack, f"{self.stack}-nightly")

    def path(self, *, preview: bool) -> str:
        """The Resource Manager's path of the identity."""
        identity = self.names.identity(preview=preview)
        return f"{self.names.group_path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}"

    def items(self, manager: ResourceManager) -> Iterator[Item]:
        """The identities, the tokens that they accept, and their roles.

        Each is created before the next is asked for, since the roles need the identity's object ID.
        """
        subjects = self.settings.github_subject.replace("{repository}", str(self.settings.github_repository))
        for preview in (False, True):
            path = self.path(preview=preview)
            name = path.rpartition("/")[2]
            yield Item(f"identity {name}", path, IDENTITY_VERSION, {"location": self.settings.location, "tags": TAGS})
            for environment in self.environments(preview=preview):
                subject = f"{subjects}:environment:{environment}"
                body = {"properties": {"issuer": ISSUER, "subject": subject, "audiences": [AUDIENCE]}}
                credential = f"{path}/federatedIdentityCredentials/{environment}"
                yield Item(f"trust in {subject}", credential, IDENTITY_VERSION, body)
            found = manager.get(path, IDENTITY_VERSION)
            principal = None if found is None else str(found["properties"]["principalId"])
            for right in self._rights(preview=preview):
                yield given(right, name, principal, PrincipalType.SERVICE_PRINCIPAL)

    def _rights(self, *, preview: bool) -> Iterator[Right]:
        if preview:
            # No data, neither the stack's nor that of others: `preview --known-data` needs none. No role inside the
            # cluster: a dry run would need the same rights as the change ("Dry-run authorization" in Kubernetes' API
            # concepts), and without them Pulumi's provider compares with the state (pulumi-kubernetes#2419, and
            # `Create` and `Update` of the version in tools/pulumi-kubernetes).
            groups = group_paths(names_of(self.stack, self.settings))
            yield from (Right(READER, group) for group in groups)
            yield Right(Role.CLUSTER_USER, groups[1])
            yield Right(BLOB_READER, self.names.container_path)
            yield Right(KEY_USER, self.names.key_path)
        else:
            yield from deployer_rights(self.stack, self.settings)


CONNECTOR_VERSION = "2024-05-01"


def connector(names: Names, manager: ResourceManager) -> str | None:
    """The object ID of the identity with which Databricks reads data; None before the first `up`."""
    path = f"{group_paths(names)[0]}/providers/Microsoft.Databricks/accessConnectors/{names.connector}"
    identity = (manager.get(path, CONNECTOR_VERSION) or {}).get("identity") or {}
    return identity.get("principalId")


def reader_commands(places: "Iterable[Address]", readers: Mapping[str, PrincipalType]) -> list[str]:
    """The Azure CLI's commands for the owner of the accounts, one for each container and object ID of a reader."""
    containers = sorted({(place.account, place.container) for place in places})
    return [
        f"az role assignment create --role '{ROLE_NAMES[BLOB_READER]}' --assignee-object-id {reader} "
        f'--assignee-principal-type {kind.value} --scope "$(az storage account show --name {account} --query id '
        f'--output tsv)/blobServices/default/containers/{container}"'
        for account, container in containers
        for reader, kind in readers.items()
    ]
