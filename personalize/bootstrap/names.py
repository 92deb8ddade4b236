"""What the bootstrap's resources are called: a function of the subscription and, for what is a stack's own, the stack.

Account and vault are for all stacks; each has its own container and key in them, so that whoever works on one stack, a
pull request's identity above all, can neither read nor decrypt another one's state.
"""

import hashlib
import re
from base64 import b32encode
from dataclasses import dataclass

STATE_GROUP = "rg-personalization-state"
TOKEN_LENGTH = 10
SLUG_LENGTH = 40
SLUG_HASH = 6


@dataclass(frozen=True, kw_only=True)
class StateNames:
    """The names in one subscription, for one stack."""

    subscription: str
    stack: str

    @property
    def group(self) -> str:
        """Resource group of all of it; no stack's `destroy` touches it."""
        return STATE_GROUP

    @property
    def account(self) -> str:
        """Storage account, unique in the world."""
        return f"state{self._token}"

    @property
    def container(self) -> str:
        """Container of the stack's state."""
        return f"state-{self._slug}"

    @property
    def vault(self) -> str:
        """Key Vault, unique in the world."""
        return f"kv-state-{self._token}"

    @property
    def key(self) -> str:
        """The key that the secrets in the stack's state are encrypted with."""
        return f"pulumi-{self._slug}"

    @property
    def backend(self) -> str:
        """The state's address for Pulumi."""
        return f"azblob://{self.container}?storage_account={self.account}&domain=blob.core.windows.net"

    @property
    def secrets_provider(self) -> str:
        """The key's address for Pulumi."""
        return f"azurekeyvault://{self.vault}.vault.azure.net/keys/{self.key}"

    def identity(self, *, preview: bool) -> str:
        """The identity of the stack's workflows: one that deploys, one that only looks."""
        return f"id-github-{self.stack}{'-preview' if preview else ''}"

    @property
    def _slug(self) -> str:
        """The stack's name in lower-case letters, digits and single hyphens; with a hash where that loses something."""
        slug = re.sub("[^a-z0-9]+", "-", self.stack.lower()).strip("-")[:SLUG_LENGTH]
        if slug == self.stack:
            return slug
        return f"{slug}-{hashlib.sha256(self.stack.encode()).hexdigest()[:SLUG_HASH]}".strip("-")

    @property
    def _token(self) -> str:
        digest = hashlib.sha256(f"personalization-state\n{self.subscription.lower()}".encode()).digest()
        return b32encode(digest).decode().lower()[:TOKEN_LENGTH]
