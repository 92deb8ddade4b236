"""The names of the bootstrap's resources, computed from the subscription and, for a stack's own ones, the stack.

All stacks share the account and the vault. Each has its own container and key in them, so that an identity for one
stack, such as a pull request's, can neither read nor decrypt another stack's state.
"""

import hashlib
import re
from base64 import b32encode
from dataclasses import dataclass

STATE_GROUP = "rg-personalization-state"
"""The resource group of all stacks. No stack's `destroy` touches it."""
TOKEN_LENGTH = 10
SLUG_LENGTH = 40
SLUG_HASH = 6


@dataclass(frozen=True, kw_only=True)
class StateNames:
    """The names in one subscription, for one stack."""

    subscription: str
    stack: str

    @property
    def account(self) -> str:
        """The storage account, a name that is unique worldwide."""
        return f"state{self._token}"

    @property
    def container(self) -> str:
        """The container of the stack's state."""
        return f"state-{self._slug}"

    @property
    def vault(self) -> str:
        """The Key Vault, a name that is unique worldwide."""
        return f"kv-state-{self._token}"

    @property
    def key(self) -> str:
        """The key that encrypts the secrets in the stack's state."""
        return f"pulumi-{self._slug}"

    @property
    def backend(self) -> str:
        """The URL of the state backend for Pulumi."""
        return f"azblob://{self.container}?storage_account={self.account}&domain=blob.core.windows.net"

    @property
    def secrets_provider(self) -> str:
        """The URL of the key for Pulumi."""
        return f"azurekeyvault://{self.vault}.vault.azure.net/keys/{self.key}"

    def identity(self, *, preview: bool) -> str:
        """The identity of the stack's workflows: one that deploys, one that only reads."""
        return f"id-github-{self.stack}{'-preview' if preview else ''}"

    @property
    def _slug(self) -> str:
        """The stack's name in lower-case letters, digits and single hyphens, with a hash if that loses something."""
        slug = re.sub("[^a-z0-9]+", "-", self.stack.lower()).strip("-")[:SLUG_LENGTH]
        if slug == self.stack:
            return slug
        return f"{slug}-{hashlib.sha256(self.stack.encode()).hexdigest()[:SLUG_HASH]}".strip("-")

    @property
    def _token(self) -> str:
        digest = hashlib.sha256(f"personalization-state\n{self.subscription.lower()}".encode()).digest()
        return b32encode(digest).decode().lower()[:TOKEN_LENGTH]
