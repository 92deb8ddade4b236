"""What the bootstrap's resources are called: a function of the subscription alone, so that every stack finds them."""

import hashlib
from base64 import b32encode
from dataclasses import dataclass

TOKEN_LENGTH = 10


@dataclass(frozen=True, kw_only=True)
class StateNames:
    """The names in one subscription."""

    subscription: str

    @property
    def group(self) -> str:
        """Resource group of all of it; no stack's `destroy` touches it."""
        return "rg-personalization-state"

    @property
    def account(self) -> str:
        """Storage account, unique in the world."""
        return f"state{self._token}"

    @property
    def container(self) -> str:
        """Container of the states of all stacks."""
        return "state"

    @property
    def vault(self) -> str:
        """Key Vault, unique in the world."""
        return f"kv-state-{self._token}"

    @property
    def key(self) -> str:
        """The key that the states' secrets are encrypted with."""
        return "pulumi"

    @property
    def backend(self) -> str:
        """The state's address for Pulumi."""
        return f"azblob://{self.container}?storage_account={self.account}&domain=blob.core.windows.net"

    @property
    def secrets_provider(self) -> str:
        """The key's address for Pulumi."""
        return f"azurekeyvault://{self.vault}.vault.azure.net/keys/{self.key}"

    def identity(self, stack: str, *, preview: bool) -> str:
        """The identity of a stack's workflows: one that deploys, one that only looks."""
        return f"id-github-{stack}{'-preview' if preview else ''}"

    @property
    def _token(self) -> str:
        digest = hashlib.sha256(f"personalization-state\n{self.subscription.lower()}".encode()).digest()
        return b32encode(digest).decode().lower()[:TOKEN_LENGTH]
