"""The Key Vault with the service's API keys and private key; only the pods' identity may read them."""

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import keyvault

from infra.cloud.site import Site, known

RETENTION_DAYS = 7
_CLOSED = keyvault.NetworkRuleSetArgs(
    default_action=keyvault.NetworkRuleAction.DENY, bypass=keyvault.NetworkRuleBypassOptions.AZURE_SERVICES
)
"""Azure ML keeps its workspace's secrets here, and is one of Azure's trusted services."""


class KeyVault(pulumi.ComponentResource):
    """The vault. With the site's `protect`, a deleted vault also can't be purged during its retention.

    Purge protection can't be switched off again, so without `protect` the setting is left out.
    """

    def __init__(self, site: Site, parent: pulumi.Resource, *, name: str, tenant: str) -> None:
        """Create the vault."""
        super().__init__("personalization:azure:KeyVault", "key-vault", None, ResourceOptions(parent=parent))
        self._site = site
        self.vault = keyvault.Vault(
            "vault",
            vault_name=name,
            resource_group_name=site.group,
            location=site.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=tenant,
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=RETENTION_DAYS,
                enable_purge_protection=True if site.protect else None,
                public_network_access="Disabled" if site.private else "Enabled",
                network_acls=_CLOSED if site.private else None,
            ),
            tags=site.tags,
            opts=ResourceOptions(parent=self, protect=site.protect),
        )
        self.id = self.vault.id
        self.name = known(self.vault.name)
        self.register_outputs({"vault": self.id})

    def secret(self, name: str, value: Input[str]) -> keyvault.Secret:
        """A secret. ARM can't delete secrets, so it is deleted with the vault."""
        return keyvault.Secret(
            name,
            secret_name=name,
            vault_name=self.vault.name,
            resource_group_name=self._site.group,
            properties=keyvault.SecretPropertiesArgs(value=pulumi.Output.secret(value)),
            tags=self._site.tags,
            opts=ResourceOptions(parent=self, deleted_with=self.vault),
        )
