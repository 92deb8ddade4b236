"""The OIDC identities of GitHub's workflows: one that deploys, and one that only reads, without any secret.

The second one is for pull requests, whose code is not reviewed yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from azure_clients.resource_manager import ResourceManager
from infra.azure_settings import PrincipalType
from infra.cloud.role_list import Role
from personalize.bootstrap.item import Item, item_at
from personalize.bootstrap.names import StateNames
from personalize.bootstrap.rights import BLOB_READER, KEY_USER, READER, Right, given
from personalize.bootstrap.state_store import TAGS, container_path, group_path, key_path

IDENTITY_VERSION = "2023-01-31"
ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True, kw_only=True)
class Workflows:
    """The workflows of a repository for one stack. `subject` is the prefix of the subject in GitHub's tokens."""

    names: StateNames
    subject: str
    location: str
    groups: tuple[str, str]
    """Paths of the stack's groups for training and serving."""
    deployer: Sequence[Right]
    """What deployers may do."""

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
            for right in self._rights(preview=preview):
                yield self._given(manager, path, right)

    def _trust(self, identity: str, environment: str) -> Item:
        subject = f"{self.subject}:environment:{environment}"
        body = {"properties": {"issuer": ISSUER, "subject": subject, "audiences": [AUDIENCE]}}
        credential = f"{identity}/federatedIdentityCredentials/{environment}"
        return item_at(f"trust in {subject}", credential, IDENTITY_VERSION, body)

    def _rights(self, *, preview: bool) -> Iterator[Right]:
        if preview:
            # No data, neither the stack's nor that of others: `preview --known-data` needs none. No role inside the
            # cluster: a dry run would need the same rights as the change ("Dry-run authorization" in Kubernetes' API
            # concepts), and without them Pulumi's provider compares with the state (pulumi-kubernetes#2419, and
            # `Create` and `Update` of the version in tools/pulumi-kubernetes).
            yield from (Right(READER, group) for group in self.groups)
            yield Right(Role.CLUSTER_USER, self.groups[1])
            yield Right(BLOB_READER, container_path(self.names))
            yield Right(KEY_USER, key_path(self.names))
        else:
            yield from self.deployer

    def _given(self, manager: ResourceManager, identity: str, right: Right) -> Item:
        def principal() -> str | None:
            found = manager.get(identity, IDENTITY_VERSION)
            return None if found is None else str(found["properties"]["principalId"])

        return given(right, identity.rpartition("/")[2], principal, PrincipalType.SERVICE_PRINCIPAL)
