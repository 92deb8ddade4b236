"""Unity Catalog: catalogs, schemas and external volumes."""

from collections.abc import Iterator

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


def _location_of(call: DatabricksCall, field: str, privilege: str) -> Record:
    """The external location that contains the path in `field`, on which the caller has `privilege`."""
    url = str(call.inputs.get(field) or "")
    location = covering(call.world, url)
    if location is None:
        raise RefusedError(403, "PERMISSION_DENIED", f"No external location covers '{url}'.")
    refuse_without(call, privilege, "externalLocation", str(location.inputs["name"]))
    return location


def _refuse_overlap(call: DatabricksCall, field: str, method: str) -> None:
    """A path can't lie in, or contain, managed storage or another volume.

    The wording is from errors that others have published, such as `INVALID_PARAMETER_VALUE.LOCATION_OVERLAP: Input path
    url '...' overlaps with managed storage within 'CreateVolume' call`.
    """
    url = _folder(call.inputs.get(field))
    for identity, other, what in _taken(call.world):
        theirs = _folder(other)
        if not identity.endswith("/" + call.name.lower()) and (url.startswith(theirs) or theirs.startswith(url)):
            message = f"Input path url '{url}' overlaps with {what} within '{method}' call."
            raise RefusedError(400, "LOCATION_OVERLAP", message)


def _taken(world: World) -> Iterator[tuple[str, object, str]]:
    for kind in (CATALOG, SCHEMA):
        for item in world.all(kind):
            if item.inputs.get("storageRoot"):
                yield item.id, item.inputs["storageRoot"], "managed storage"
    for item in world.all(VOLUME):
        yield item.id, item.inputs["storageLocation"], "other external tables or volumes"


def _refuse_catalog(call: DatabricksCall) -> None:
    refuse_without_metastores(call, "CREATE_CATALOG")
    _location_of(call, "storageRoot", "CREATE_MANAGED_STORAGE")
    _refuse_overlap(call, "storageRoot", "CreateCatalog")


def _refuse_schema(call: DatabricksCall) -> None:
    catalog = str(call.inputs["catalogName"])
    if call.named("catalogs", catalog) is None:
        raise RefusedError(404, "CATALOG_DOES_NOT_EXIST", f"Catalog '{catalog}' does not exist.")
    refuse_without(call, "CREATE_SCHEMA", "catalog", catalog)


def _refuse_volume(call: DatabricksCall) -> None:
    parent = f"{call.inputs['catalogName']}.{call.inputs['schemaName']}"
    if call.named("schemas", parent) is None:
        raise RefusedError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{parent}' does not exist.")
    if call.inputs.get("volumeType") != "EXTERNAL":
        raise RefusedError(400, "INVALID_PARAMETER_VALUE", "Only external volumes are known here.")
    refuse_without(call, "CREATE_VOLUME", "schema", parent)
    location = _location_of(call, "storageLocation", "CREATE_EXTERNAL_VOLUME")
    if _folder(location.inputs["url"]) == _folder(call.inputs["storageLocation"]):
        message = f"Input path url '{call.inputs['storageLocation']}' is the root of an external location."
        raise RefusedError(400, "LOCATION_OVERLAP", message)
    _refuse_overlap(call, "storageLocation", "CreateVolume")


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
