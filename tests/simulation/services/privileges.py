"""Who may do what in Unity Catalog: by a grant on an object or on one above it, or as the owner of either.

Whoever creates an object owns it, and has all privileges on it and on what lies in it (Microsoft's pages "Unity Catalog
privileges and securable objects" and "Manage Unity Catalog object ownership").
"""

from tests.simulation.databricks.cloud import METASTORE, OWNER, DatabricksCall
from tests.simulation.refusal import RefusedError
from tests.simulation.world import World

GRANT = "databricks:index/grant:Grant"
ALL = "ALL_PRIVILEGES"
EVERYBODY = "account users"
COLLECTIONS = {
    "catalog": "catalogs",
    "schema": "schemas",
    "volume": "volumes",
    "externalLocation": "external-locations",
    "storageCredential": "storage-credentials",
}
METASTORE_PRIVILEGES = frozenset({"CREATE_CATALOG", "CREATE_EXTERNAL_LOCATION", "CREATE_STORAGE_CREDENTIAL"})
READ, WRITE = "r", "w"


def volume_access(world: World, who: str, volume: str) -> str:
    """`r`, `rw` or nothing: what `who` may do with the files of a volume `CATALOG.SCHEMA.VOLUME`."""
    catalog, schema, _ = volume.split(".")
    on_catalog = held(world, who, "catalog", catalog)
    on_schema = on_catalog | held(world, who, "schema", f"{catalog}.{schema}")
    on_volume = on_schema | held(world, who, "volume", volume)
    if not (on_catalog & {"USE_CATALOG", ALL} and on_schema & {"USE_SCHEMA", ALL} and on_volume & {"READ_VOLUME", ALL}):
        return ""
    return READ + (WRITE if on_volume & {"WRITE_VOLUME", ALL} else "")


def refuse_without(call: DatabricksCall, privilege: str, securable: str, name: str) -> None:
    """Raise unless the caller holds a privilege that creating the call's object needs."""
    if call.old is None and not held(call.world, call.caller, securable, name) & {privilege, ALL}:
        shown = "External Location" if securable == "externalLocation" else securable.capitalize()
        message = f"User does not have {privilege.replace('_', ' ')} on {shown} '{name}'."
        raise RefusedError(403, "PERMISSION_DENIED", message)


def refuse_without_metastores(call: DatabricksCall, privilege: str) -> None:
    """Raise unless the caller holds a privilege in the metastore. Nobody is its owner: Databricks made it."""
    world = call.world
    held = world.setting("held_privileges")
    if held is None:
        held = world.setting("admin_privileges")
    if call.old is None and not {privilege, ALL} & set(METASTORE_PRIVILEGES if held is None else held):
        message = f"User does not have {privilege.replace('_', ' ')} on Metastore 'm-1'."
        raise RefusedError(403, "PERMISSION_DENIED", message)


def held(world: World, who: str, securable: str, name: str) -> set[str]:
    """The privileges of `who` on one object itself."""
    record = world.get(f"{METASTORE}/{COLLECTIONS[securable]}/{name}")
    if record is not None and record.outputs.get(OWNER) == who:
        return {ALL}
    grants = (grant.inputs for grant in world.all(GRANT) if str(grant.inputs.get(securable)).lower() == name.lower())
    return {
        str(privilege).replace(" ", "_")
        for grant in grants
        if grant["principal"] in {who, EVERYBODY}
        for privilege in grant["privileges"]
    }
