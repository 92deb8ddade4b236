"""Unity Catalog: credentials, locations, catalogs, schemas, volumes, grants. Names are unique in the metastore."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.simulation.databricks.cloud import DatabricksCall, DatabricksType, Rule
from tests.simulation.refusal import RefusedError
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
from tests.simulation.world import Record, World

CREDENTIAL = "databricks:index/storageCredential:StorageCredential"
LOCATION = "databricks:index/externalLocation:ExternalLocation"
CATALOG = "databricks:index/catalog:Catalog"
SCHEMA = "databricks:index/schema:Schema"
VOLUME = "databricks:index/volume:Volume"
MEMBER = "databricks:index/servicePrincipal:ServicePrincipal"
SECURABLES = ("externalLocation", "storageCredential", "catalog", "schema", "table", "volume", "metastore")


def _grant(inputs: Mapping[str, Any]) -> str:
    """A grant's id as the provider builds it: `external_location/NAME/PRINCIPAL`."""
    named = [f"{_snake(name)}/{inputs[name]}" for name in SECURABLES if inputs.get(name)]
    return "/".join([*named, str(inputs.get("principal"))])


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)


def _refuse_credential(call: DatabricksCall) -> None:
    connector = call.inputs["azureManagedIdentity"]["accessConnectorId"]
    refuse_without_metastores(call, "CREATE_STORAGE_CREDENTIAL")
    if call.world.get(connector) is None:
        raise RefusedError(404, "INVALID_PARAMETER_VALUE", f"The access connector '{connector}' was not found.")


def _refuse_location(call: DatabricksCall) -> None:
    if call.named("storage-credentials", call.inputs["credentialName"]) is None:
        message = f"Storage credential '{call.inputs['credentialName']}' does not exist."
        raise RefusedError(404, "STORAGE_CREDENTIAL_DOES_NOT_EXIST", message)
    refuse_without_metastores(call, "CREATE_EXTERNAL_LOCATION")
    refuse_without(call, "CREATE_EXTERNAL_LOCATION", "storageCredential", str(call.inputs["credentialName"]))


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


def covering(world: World, url: str) -> Record | None:
    """The external location that contains a path."""
    below = _folder(url)
    return next((item for item in world.all(LOCATION) if below.startswith(_folder(item.inputs["url"]))), None)


def _folder(url: object) -> str:
    return str(url).rstrip("/") + "/"


def _refuse_outside(call: DatabricksCall, field: str, privilege: str) -> None:
    """Raise unless an external location, on which the caller has `privilege`, contains the path in `field`."""
    url = str(call.inputs.get(field) or "")
    location = covering(call.world, url)
    if location is None:
        raise RefusedError(403, "PERMISSION_DENIED", f"No external location covers '{url}'.")
    refuse_without(call, privilege, "externalLocation", str(location.inputs["name"]))


def _refuse_catalog(call: DatabricksCall) -> None:
    refuse_without_metastores(call, "CREATE_CATALOG")
    _refuse_outside(call, "storageRoot", "CREATE_MANAGED_STORAGE")


def _refuse_schema(call: DatabricksCall) -> None:
    catalog = str(call.inputs["catalogName"])
    if call.named("catalogs", catalog) is None:
        raise RefusedError(404, "CATALOG_DOES_NOT_EXIST", f"Catalog '{catalog}' does not exist.")
    refuse_without(call, "CREATE_SCHEMA", "catalog", catalog)


def _refuse_volume(call: DatabricksCall) -> None:
    parent = f"{call.inputs['catalogName']}.{call.inputs['schemaName']}"
    if call.named("schemas", parent) is None:
        raise RefusedError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{parent}' does not exist.")
    refuse_without(call, "CREATE_VOLUME", "schema", parent)
    _refuse_outside(call, "storageLocation", "CREATE_EXTERNAL_VOLUME")


def _governed(
    pulumi_type: str,
    securable: str,
    *,
    identity: Callable[[Mapping[str, Any]], str | None],
    replaces: Iterable[str],
    refuse: Rule,
) -> DatabricksType:
    """A type of the metastore's objects, which their owners and those with privileges see, change and delete."""
    stranger = refuse_stranger(securable)
    return DatabricksType(
        pulumi_type=pulumi_type,
        collection=COLLECTIONS[securable],
        in_metastore=True,
        identity=identity,
        replaces=frozenset(replaces),
        rules=(stranger, refuse),
        delete_rules=(stranger, forget_grants(securable)),
        read_rules=(refuse_blind(securable),),
    )


TYPES = [
    _governed(
        CREDENTIAL,
        "storageCredential",
        identity=lambda inputs: inputs.get("name"),
        replaces=["name"],
        refuse=_refuse_credential,
    ),
    _governed(
        LOCATION,
        "externalLocation",
        identity=lambda inputs: inputs.get("name"),
        replaces=["name"],
        refuse=_refuse_location,
    ),
    _governed(
        CATALOG,
        "catalog",
        identity=lambda inputs: inputs.get("name"),
        replaces=["name", "storageRoot"],
        refuse=_refuse_catalog,
    ),
    _governed(
        SCHEMA,
        "schema",
        identity=lambda inputs: f"{inputs.get('catalogName')}.{inputs.get('name')}",
        replaces=["name", "catalogName"],
        refuse=_refuse_schema,
    ),
    _governed(
        VOLUME,
        "volume",
        identity=lambda inputs: f"{inputs.get('catalogName')}.{inputs.get('schemaName')}.{inputs.get('name')}",
        replaces=["catalogName", "schemaName", "storageLocation", "volumeType"],
        refuse=_refuse_volume,
    ),
    DatabricksType(
        pulumi_type=GRANT,
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
        collection="service-principals",
        identity=lambda _: None,
        replaces=frozenset({"applicationId"}),
    ),
]
