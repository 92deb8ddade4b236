"""Unity Catalog: catalogs, schemas and external volumes."""

from tests.simulation.databricks.cloud import DatabricksCall, DatabricksType
from tests.simulation.refusal import RefusedError
from tests.simulation.services.privileges import (
    forget_grants,
    refuse_blind,
    refuse_stranger,
    refuse_without,
    refuse_without_metastores,
)
from tests.simulation.services.unity import CATALOG, LOCATION, SCHEMA, VOLUME
from tests.simulation.world import Record, World


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


TYPES = [
    DatabricksType(
        pulumi_type=CATALOG,
        arguments="pulumi_databricks.catalog:CatalogArgs",
        collection="catalogs",
        in_metastore=True,
        identity=lambda inputs: inputs.get("name"),
        replaces=frozenset({"name", "storageRoot"}),
        rules=(refuse_stranger("catalog"), _refuse_catalog),
        delete_rules=(refuse_stranger("catalog"), forget_grants("catalog")),
        read_rules=(refuse_blind("catalog"),),
    ),
    DatabricksType(
        pulumi_type=SCHEMA,
        arguments="pulumi_databricks.schema:SchemaArgs",
        collection="schemas",
        in_metastore=True,
        identity=lambda inputs: f"{inputs.get('catalogName')}.{inputs.get('name')}",
        replaces=frozenset({"name", "catalogName"}),
        rules=(refuse_stranger("schema"), _refuse_schema),
        delete_rules=(refuse_stranger("schema"), forget_grants("schema")),
        read_rules=(refuse_blind("schema"),),
    ),
    DatabricksType(
        pulumi_type=VOLUME,
        arguments="pulumi_databricks.volume:VolumeArgs",
        collection="volumes",
        in_metastore=True,
        identity=lambda inputs: f"{inputs.get('catalogName')}.{inputs.get('schemaName')}.{inputs.get('name')}",
        replaces=frozenset({"catalogName", "schemaName", "storageLocation", "volumeType"}),
        rules=(refuse_stranger("volume"), _refuse_volume),
        delete_rules=(refuse_stranger("volume"), forget_grants("volume")),
        read_rules=(refuse_blind("volume"),),
    ),
]
