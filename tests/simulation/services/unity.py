"""Unity Catalog: storage credentials, external locations, grants. Names are unique in the whole metastore.

Catalogs, schemas and volumes are in `catalogs.py`.
"""

import re
import time
from collections.abc import Mapping
from typing import Any

from tests.simulation.databricks.cloud import DatabricksCall, DatabricksType
from tests.simulation.refusal import RefusedError
from tests.simulation.services import storage
from tests.simulation.services.authorization import effective_roles
from tests.simulation.services.principals import SERVICE_PRINCIPAL, principals
from tests.simulation.services.privileges import (
    COLLECTIONS,
    EVERYBODY,
    GRANT,
    forget_grants,
    refuse_blind,
    refuse_granter,
    refuse_stranger,
    refuse_without,
    refuse_without_metastores,
)

CREDENTIAL = "databricks:index/storageCredential:StorageCredential"
LOCATION = "databricks:index/externalLocation:ExternalLocation"
CATALOG = "databricks:index/catalog:Catalog"
SCHEMA = "databricks:index/schema:Schema"
VOLUME = "databricks:index/volume:Volume"
MEMBER = "databricks:index/servicePrincipal:ServicePrincipal"
LOCATION_URL = re.compile(r"abfss://([a-z0-9-]{3,63})@([a-z0-9]{3,24})\.dfs\.core\.windows\.net(/.*)?")
DATA_ROLES = frozenset({"ba92f5b4-2d11-453d-a403-e96b0029c9fe", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"})
SECURABLES = ("externalLocation", "storageCredential", "catalog", "schema", "table", "volume", "metastore")


def _grant(inputs: Mapping[str, Any]) -> str:
    """A grant's id as the provider builds it: `external_location/NAME/PRINCIPAL`."""
    named = [f"{_snake(name)}/{inputs[name]}" for name in SECURABLES if inputs.get(name)]
    return "/".join([*named, str(inputs.get("principal"))])


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)


def _refuse_credential(call: DatabricksCall) -> None:
    identity = call.inputs.get("azureManagedIdentity")
    if not identity:
        raise RefusedError(400, "INVALID_PARAMETER_VALUE", "A storage credential on Azure needs azureManagedIdentity.")
    connector = identity.get("accessConnectorId", "")
    refuse_without_metastores(call, "CREATE_STORAGE_CREDENTIAL")
    if call.world.get(connector) is None:
        raise RefusedError(404, "INVALID_PARAMETER_VALUE", f"The access connector '{connector}' was not found.")


def _refuse_location(call: DatabricksCall) -> None:
    url = call.inputs["url"]
    match = LOCATION_URL.fullmatch(url)
    if match is None:
        message = f"'{url}' is not of the form abfss://container@account.dfs.core.windows.net/path."
        raise RefusedError(400, "INVALID_PARAMETER_VALUE", message)
    credential = call.named("storage-credentials", call.inputs["credentialName"])
    if credential is None:
        message = f"Storage credential '{call.inputs['credentialName']}' does not exist."
        raise RefusedError(404, "STORAGE_CREDENTIAL_DOES_NOT_EXIST", message)
    refuse_without_metastores(call, "CREATE_EXTERNAL_LOCATION")
    refuse_without(call, "CREATE_EXTERNAL_LOCATION", "storageCredential", str(call.inputs["credentialName"]))
    if not call.inputs.get("skipValidation"):
        _refuse_unreadable(
            call, account=match[2], connector=credential.inputs["azureManagedIdentity"]["accessConnectorId"]
        )


def _refuse_unreadable(call: DatabricksCall, *, account: str, connector: str) -> None:
    lake = next((item for item in call.world.all(storage.TYPE) if item.id.endswith("/" + account)), None)
    identity = call.world.get(connector)
    reader = identity.outputs["identity"]["principalId"] if identity else ""
    if lake is None or not DATA_ROLES & effective_roles(call.world, reader, lake.id):
        message = f"The credential can't read '{account}' (yet); skipValidation skips this check."
        raise RefusedError(403, "PERMISSION_DENIED", message)


def _refuse_grant(call: DatabricksCall) -> None:
    given = [name for name in SECURABLES if call.inputs.get(name)]
    if len(given) != 1:
        raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"A grant names exactly one securable, not {given}.")
    _refuse_unknown_object(call, given[0])
    who = str(call.inputs["principal"])
    people = {name for name, found in principals(call.world).items() if found.type != SERVICE_PRINCIPAL}
    members = {str(item.inputs["applicationId"]) for item in call.world.all(MEMBER)}
    known = {*people, *members, EVERYBODY}
    if who.lower() not in {name.lower() for name in known}:
        raise RefusedError(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal with name {who}.")


def _refuse_unknown_object(call: DatabricksCall, securable: str) -> None:
    wanted, shown = call.inputs[securable], _snake(securable).replace("_", " ")
    if call.named(COLLECTIONS[securable], wanted) is None:
        code = f"{_snake(securable).upper()}_DOES_NOT_EXIST"
        raise RefusedError(404, code, f"{shown.capitalize()} '{wanted}' does not exist.")


def _refuse_used_credential(call: DatabricksCall) -> None:
    users = [
        other.id
        for other in call.world.all(LOCATION)
        if other.inputs["credentialName"] == call.name and not (other.deleting and other.ready <= time.time())
    ]
    if users and not call.inputs.get("forceDestroy"):
        raise RefusedError(
            400, "INVALID_STATE", f"The credential is used by '{users[0]}'; forceDestroy deletes it anyway."
        )


TYPES = [
    DatabricksType(
        pulumi_type=CREDENTIAL,
        arguments="pulumi_databricks.storage_credential:StorageCredentialArgs",
        collection="storage-credentials",
        in_metastore=True,
        identity=lambda inputs: inputs.get("name"),
        replaces=frozenset({"name"}),
        rules=(refuse_stranger("storageCredential"), _refuse_credential),
        delete_rules=(
            refuse_stranger("storageCredential"),
            _refuse_used_credential,
            forget_grants("storageCredential"),
        ),
        read_rules=(refuse_blind("storageCredential"),),
        outputs=lambda call: {"storageCredentialId": call.name},
    ),
    DatabricksType(
        pulumi_type=LOCATION,
        arguments="pulumi_databricks.external_location:ExternalLocationArgs",
        collection="external-locations",
        in_metastore=True,
        identity=lambda inputs: inputs.get("name"),
        replaces=frozenset({"name"}),
        rules=(refuse_stranger("externalLocation"), _refuse_location),
        delete_rules=(refuse_stranger("externalLocation"), forget_grants("externalLocation")),
        read_rules=(refuse_blind("externalLocation"),),
    ),
    DatabricksType(
        pulumi_type=GRANT,
        arguments="pulumi_databricks.grant:GrantArgs",
        collection="grants",
        in_metastore=True,
        identity=_grant,
        replaces=frozenset({"principal", *SECURABLES}),
        rules=(_refuse_grant, refuse_granter),
        delete_rules=(refuse_granter,),
        read_rules=(refuse_granter,),
    ),
    DatabricksType(
        pulumi_type=MEMBER,
        arguments="pulumi_databricks.service_principal:ServicePrincipalArgs",
        collection="service-principals",
        identity=lambda _: None,
        replaces=frozenset({"applicationId"}),
    ),
]
