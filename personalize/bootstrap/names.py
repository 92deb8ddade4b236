"""The names of the bootstrap's resources, computed from the subscription and, for a stack's own ones, the stack.

All stacks share the account and the vault. Each has its own container and key in them, so that an identity for one
stack, such as a pull request's, can neither read nor decrypt another stack's state.
"""

import hashlib
import re
from base64 import b32encode

STATE_GROUP = "rg-personalization-state"
"""The resource group of all stacks. No stack's `destroy` touches it."""
TOKEN_LENGTH = 10
SLUG_LENGTH = 40
SLUG_HASH = 6


class StateNames:
    """The names in one subscription, for one stack."""

    def __init__(self, *, subscription: str, stack: str) -> None:
        """Computes them all."""
        self.subscription, self.stack = subscription, stack
        digest = hashlib.sha256(f"personalization-state\n{subscription.lower()}".encode()).digest()
        token, slug = b32encode(digest).decode().lower()[:TOKEN_LENGTH], _slug(stack)
        self.account = f"state{token}"
        """The storage account, a name that is unique worldwide."""
        self.container = f"state-{slug}"
        """The container of the stack's state."""
        self.vault = f"kv-state-{token}"
        """The Key Vault, a name that is unique worldwide."""
        self.key = f"pulumi-{slug}"
        """The key that encrypts the secrets in the stack's state."""
        self.backend = f"azblob://{self.container}?storage_account={self.account}&domain=blob.core.windows.net"
        """The URL of the state backend for Pulumi."""
        self.secrets_provider = f"azurekeyvault://{self.vault}.vault.azure.net/keys/{self.key}"
        """The URL of the key for Pulumi."""
        self.group_path = f"/subscriptions/{subscription}/resourceGroups/{STATE_GROUP}"
        """The Resource Manager's path of the group; below are those of what is in it."""
        self.account_path = f"{self.group_path}/providers/Microsoft.Storage/storageAccounts/{self.account}"
        self.container_path = f"{self.account_path}/blobServices/default/containers/{self.container}"
        self.vault_path = f"{self.group_path}/providers/Microsoft.KeyVault/vaults/{self.vault}"
        self.key_path = f"{self.vault_path}/keys/{self.key}"

    def identity(self, *, preview: bool) -> str:
        """The identity of the stack's workflows: one that deploys, one that only reads."""
        return f"id-github-{self.stack}{'-preview' if preview else ''}"


def _slug(stack: str) -> str:
    """The stack's name in lower-case letters, digits and single hyphens, with a hash if that loses something."""
    slug = re.sub("[^a-z0-9]+", "-", stack.lower()).strip("-")[:SLUG_LENGTH]
    if slug == stack:
        return slug
    return f"{slug}-{hashlib.sha256(stack.encode()).hexdigest()[:SLUG_HASH]}".strip("-")
