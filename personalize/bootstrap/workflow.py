"""The OIDC identities of GitHub's workflows: one that deploys, and one that only reads, without any secret.

The second one is for pull requests, whose code is not reviewed yet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure_clients.resource_manager import ResourceManager
from infra.cloud.names import role_assignment_name
from infra.cloud.role_list import Role
from infra.setting_types import Deployer, PrincipalType
from personalize.bootstrap.item import Item, item_at
from personalize.bootstrap.names import StateNames
from personalize.bootstrap.state_store import TAGS, container_path, group_path, key_path

IDENTITY_VERSION = "2023-01-31"
ROLE_VERSION = "2022-04-01"
ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
ROLE_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
KEY_USER = "12338af0-0e69-4776-bea7-57ae8d297424"
ROLE_NAMES: dict[str, str] = {
    CONTRIBUTOR: "Contributor",
    READER: "Reader",
    ROLE_ADMINISTRATOR: "Role Based Access Control Administrator, for the stack's roles alone",
    BLOB_READER: "Storage Blob Data Reader",
    KEY_USER: "Key Vault Crypto User",
    Role.BLOB_DATA_CONTRIBUTOR: "Storage Blob Data Contributor",
    Role.CLUSTER_USER: "Azure Kubernetes Service Cluster User Role",
}
ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True, kw_only=True)
class Workflows:
    """The workflows of a repository for one stack. `subject` is the prefix of the subject in GitHub's tokens."""

    names: StateNames
    subject: str
    location: str

    def environments(self, *, preview: bool) -> tuple[str, ...]:
        """The GitHub environments in which workflows with this identity run.

        The nightly one is for runs on the main branch without an approval.
        """
        return (f"{self.names.stack}-preview",) if preview else (self.names.stack, f"{self.names.stack}-nightly")

    def path(self, *, preview: bool) -> str:
        """The Resource Manager's path of the identity."""
        identity = self.names.identity(preview=preview)
        return f"{group_path(self.names)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}"

    def items(self, manager: ResourceManager) -> Iterator[Item]:
        """The identities, the tokens that they accept, and their roles, in the order of their creation."""
        for preview in (False, True):
            path = self.path(preview=preview)
            name = path.rpartition("/")[2]
            body = {"location": self.location, "tags": TAGS}
            yield item_at(f"identity {name}", path, IDENTITY_VERSION, body)
            yield from (self._trust(path, environment) for environment in self.environments(preview=preview))
            for role, scope, condition in self._roles(preview=preview):
                yield self._role(manager, path, role, scope, condition)

    def _trust(self, identity: str, environment: str) -> Item:
        subject = f"{self.subject}:environment:{environment}"
        body = {"properties": {"issuer": ISSUER, "subject": subject, "audiences": [AUDIENCE]}}
        credential = f"{identity}/federatedIdentityCredentials/{environment}"
        return item_at(f"trust in {subject}", credential, IDENTITY_VERSION, body)

    def _roles(self, *, preview: bool) -> Iterator[tuple[str, str, str]]:
        subscription = f"/subscriptions/{self.names.subscription}"
        if preview:
            # No role inside the cluster: a dry run would need the same rights as the change ("Dry-run authorization" in
            # Kubernetes' API concepts), and without them Pulumi's provider compares with the state
            # (pulumi-kubernetes#2419, and `Create` and `Update` of the version in tools/pulumi-kubernetes).
            yield from ((role, subscription, "") for role in (READER, Role.CLUSTER_USER))
            yield BLOB_READER, container_path(self.names), ""
        else:
            yield CONTRIBUTOR, subscription, ""
            yield ROLE_ADMINISTRATOR, subscription, only_roles(*Role)
            yield Role.BLOB_DATA_CONTRIBUTOR, container_path(self.names), ""
        yield KEY_USER, key_path(self.names), ""

    def _role(self, manager: ResourceManager, identity: str, role: str, scope: str, condition: str) -> Item:
        def principal() -> str | None:
            found = manager.get(identity, IDENTITY_VERSION)
            return None if found is None else str(found["properties"]["principalId"])

        def path() -> str | None:
            known = principal()
            return known and assignment_path(scope, role, known)

        def body() -> Mapping[str, Any]:
            return assignment(
                self.names.subscription, role, str(principal()), PrincipalType.SERVICE_PRINCIPAL, condition
            )

        place = scope.rpartition("/")[2]
        title = f"role {ROLE_NAMES[role]} of {identity.rpartition('/')[2]} on {place}"
        return Item(title=title, path=path, version=ROLE_VERSION, body=body)


def state_roles(names: StateNames, deployers: tuple[Deployer, ...]) -> Iterator[Item]:
    """The roles that deployers need for the state. The subscription's owner does not have them either."""
    for deployer in deployers:
        for role, scope in ((Role.BLOB_DATA_CONTRIBUTOR, container_path(names)), (KEY_USER, key_path(names))):
            body = assignment(names.subscription, role, deployer.object_id, deployer.type)
            title = f"role {ROLE_NAMES[role]} of {deployer.object_id} on {scope.rpartition('/')[2]}"
            yield item_at(title, assignment_path(scope, role, deployer.object_id), ROLE_VERSION, body)


def assignment_path(scope: str, role: str, principal: str) -> str:
    """The Resource Manager's path of a role assignment."""
    return f"{scope}/{ASSIGNMENTS}/{role_assignment_name(scope, role, principal)}"


def assignment(
    subscription: str, role: str, principal: str, kind: PrincipalType, condition: str = ""
) -> dict[str, dict[str, str]]:
    """The body of a role assignment."""
    definition = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    properties = {"roleDefinitionId": definition, "principalId": principal, "principalType": kind.value}
    return {"properties": properties | ({"condition": condition, "conditionVersion": "2.0"} if condition else {})}


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
