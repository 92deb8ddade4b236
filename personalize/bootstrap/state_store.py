"""The state backend for stacks on Azure: a storage account with versioning, and a key for the secrets in it."""

from collections.abc import Iterator
from typing import Any

from personalize.bootstrap.item import Item, item_at
from personalize.bootstrap.names import StateNames

GROUP_VERSION = "2021-04-01"
STORAGE_VERSION = "2024-01-01"
VAULT_VERSION = "2023-07-01"
LOCK_VERSION = "2020-05-01"
KEPT_DAYS = 30
VAULT_SKU = {"family": "A", "name": "standard"}
KEY_BITS = 3072
TAGS = {"project": "personalization", "purpose": "state"}


def group_path(names: StateNames) -> str:
    """The resource group."""
    return f"/subscriptions/{names.subscription}/resourceGroups/{names.group}"


def account_path(names: StateNames) -> str:
    """The storage account."""
    return f"{group_path(names)}/providers/Microsoft.Storage/storageAccounts/{names.account}"


def vault_path(names: StateNames) -> str:
    """The Key Vault."""
    return f"{group_path(names)}/providers/Microsoft.KeyVault/vaults/{names.vault}"


def container_path(names: StateNames) -> str:
    """The container of the stack's state."""
    return f"{account_path(names)}/blobServices/default/containers/{names.container}"


def key_path(names: StateNames) -> str:
    """The key of the stack's secrets."""
    return f"{vault_path(names)}/keys/{names.key}"


def state_store(names: StateNames, tenant: str, location: str) -> Iterator[Item]:
    """The parts of the state backend, in the order of their creation."""
    account, vault = account_path(names), vault_path(names)
    yield item_at(
        f"resource group {names.group}", group_path(names), GROUP_VERSION, {"location": location, "tags": TAGS}
    )
    yield item_at(f"storage account {names.account}", account, STORAGE_VERSION, _account(location))
    yield Item(
        title="old versions of the state",
        path=lambda: f"{account}/blobServices/default",
        version=STORAGE_VERSION,
        body=_versions,
        settled=lambda found: bool(found["properties"].get("isVersioningEnabled")),
    )
    yield item_at(
        f"container {names.container}", container_path(names), STORAGE_VERSION, {"properties": {"publicAccess": "None"}}
    )
    yield Item(
        title=f"Key Vault {names.vault}",
        path=lambda: vault,
        version=VAULT_VERSION,
        body=lambda: _vault(tenant, location),
        recovery=_recovery(tenant, location),
    )
    yield item_at(f"key {names.key}", key_path(names), VAULT_VERSION, _key())
    lock = f"{group_path(names)}/providers/Microsoft.Authorization/locks/keep"
    level = {"level": "CanNotDelete", "notes": "Holds Pulumi's state of every stack."}
    yield item_at("lock against deletion", lock, LOCK_VERSION, {"properties": level})


def _account(location: str) -> dict[str, Any]:
    return {
        "location": location,
        "tags": TAGS,
        "kind": "StorageV2",
        "sku": {"name": "Standard_GRS"},  # the state outlives its region
        "properties": {
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": False,
            "defaultToOAuthAuthentication": True,
            "minimumTlsVersion": "TLS1_2",
            "supportsHttpsTrafficOnly": True,
        },
    }


def _versions() -> dict[str, Any]:
    kept = {"enabled": True, "days": KEPT_DAYS}
    return {
        "properties": {
            "isVersioningEnabled": True,
            "deleteRetentionPolicy": kept,
            "containerDeleteRetentionPolicy": kept,
        }
    }


def _recovery(tenant: str, location: str) -> dict[str, Any]:
    """The vault as it was, with its keys but without the roles on it ("Key Vault recovery management", Microsoft)."""
    return {"location": location, "properties": {"tenantId": tenant, "sku": VAULT_SKU, "createMode": "recover"}}


def _vault(tenant: str, location: str) -> dict[str, Any]:
    properties = {
        "tenantId": tenant,
        "sku": VAULT_SKU,
        "enableRbacAuthorization": True,
        "enableSoftDelete": True,
        "enablePurgeProtection": True,  # no state can be read without the key
    }
    return {"location": location, "tags": TAGS, "properties": properties}


def _key() -> dict[str, Any]:
    return {"properties": {"kty": "RSA", "keySize": KEY_BITS, "keyOps": ["encrypt", "decrypt", "wrapKey", "unwrapKey"]}}
