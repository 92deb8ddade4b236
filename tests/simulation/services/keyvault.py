"""Key vaults and their secrets."""

import json
import uuid
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, ResourceType
from tests.simulation.services.resources import GROUP
from tests.simulation.world import key_of

TYPE = "azure-native:keyvault:Vault"
VAULT = GROUP + "/providers/Microsoft.KeyVault/vaults/{vaultName}"


def _recover_deleted(call: Call) -> None:
    """A deleted vault holds its name, and comes back with its keys and secrets, but without the roles on it.

    Sources: learn.microsoft.com/azure/key-vault/general/key-vault-recovery; the refusals' words are quoted in
    alan-turing-institute/data-safe-haven#2523 and hashicorp/terraform-provider-azurerm#12972.
    """
    deleted = key_of(call.id) in call.world.buried(TYPE)
    recovering = call.input("properties.createMode") == "recover"
    if recovering and not deleted:
        message = f"A soft deleted vault with the given name '{call.name}' does not exist."
        raise RefusedError(404, "SoftDeletedVaultDoesNotExist", message)
    if deleted and not recovering:
        message = "A vault with the same name already exists in deleted state. Either recover or purge it."
        raise RefusedError(409, "ConflictError", message)
    if recovering:
        call.world.recover(call.id, "keys", "secrets")


def _vault_outputs(call: Call) -> dict[str, Any]:
    properties = {**call.input("properties", {}), "vaultUri": f"https://{call.name}.vault.azure.net/"}
    return {"name": call.name, "properties": properties}


def _secret_outputs(call: Call) -> dict[str, Any]:
    vault = call.id.split("/")[-3]
    uri = f"https://{vault}.vault.azure.net/secrets/{call.name}"
    version = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(dict(call.inputs), sort_keys=True)).hex
    properties = {"secretUri": uri, "secretUriWithVersion": f"{uri}/{version}"}
    return {"name": call.name, "properties": properties}


TYPES = [
    ResourceType(
        pulumi_type=TYPE,
        model="azure.mgmt.keyvault.models:VaultCreateOrUpdateParameters",
        path=VAULT,
        globally_unique=True,
        replaces=frozenset({"location"}),
        seconds=30,
        before_name=_recover_deleted,
        outputs=_vault_outputs,
        soft_delete_days=7,
    ),
    ResourceType(
        pulumi_type="azure-native:keyvault:Secret",
        model="azure.mgmt.keyvault.models:SecretCreateOrUpdateParameters",
        path=VAULT + "/secrets/{secretName}",
        outputs=_secret_outputs,
        no_delete=True,
    ),
    ResourceType(
        pulumi_type="azure-native:keyvault:Key",
        model="azure.mgmt.keyvault.models:KeyCreateParameters",
        path=VAULT + "/keys/{keyName}",
        no_delete=True,
    ),
]
