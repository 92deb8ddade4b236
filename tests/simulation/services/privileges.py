"""Who may do what in Databricks: in Unity Catalog by a grant on an object or one above it, or as the owner of either.

Whoever creates an object owns it, and has all privileges on it and on what lies in it. Others change and delete it with
MANAGE, which allows to do nothing else with it, and see it with any privilege (Microsoft's pages "Unity Catalog
privileges and securable objects" and "Manage Unity Catalog object ownership").
"""

import re
from collections.abc import Callable

from tests.simulation.databricks.cloud import METASTORE, OWNER, DatabricksCall
from tests.simulation.refusal import RefusedError
from tests.simulation.world import World

GRANT = "databricks:index/grant:Grant"
PERMISSIONS = "databricks:index/permissions:Permissions"
ALL = "ALL_PRIVILEGES"
MANAGE = "MANAGE"
OWNED = "owned"
"""What an owner has besides all privileges, and MANAGE allows too."""
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


def refuse_stranger(securable: str) -> Callable[[DatabricksCall], None]:
    """A rule for changes and deletions: the caller owns the object or one above it, or has MANAGE on it."""

    def refuse(call: DatabricksCall) -> None:
        if call.old is not None and not _above(call, securable, call.name) & {MANAGE, OWNED}:
            _refuse(MANAGE, securable, call.name)

    return refuse


def refuse_blind(securable: str) -> Callable[[DatabricksCall], None]:
    """A rule for looks: the caller owns the object or one above it, or has any privilege on it."""

    def refuse(call: DatabricksCall) -> None:
        if not _above(call, securable, call.name):
            _refuse("any privilege", securable, call.name)

    return refuse


def refuse_granter(call: DatabricksCall) -> None:
    """A rule for grants: only owners and those with MANAGE see, give and take privileges."""
    inputs = call.inputs or (call.old.inputs if call.old else {})
    (securable,) = [name for name in COLLECTIONS if inputs.get(name)]
    if not _above(call, securable, str(inputs[securable])) & {MANAGE, OWNED}:
        _refuse(MANAGE, securable, str(inputs[securable]))


def forget_grants(securable: str) -> Callable[[DatabricksCall], None]:
    """What a deletion does beside: privileges on an object, and on those in it, are gone with it."""

    def forget(call: DatabricksCall) -> None:
        for grant in call.world.all(GRANT):
            names = [str(grant.inputs[one]) for one in COLLECTIONS if grant.inputs.get(one)]
            inside = securable == "catalog" and names[0].startswith(f"{call.name}.")
            if grant.inputs.get(securable) == call.name or inside:
                call.world.remove(grant.id)

    return forget


def _above(call: DatabricksCall, securable: str, name: str) -> set[str]:
    """The caller's privileges on an object and on those above it; `OWNED` for an owner of one of them."""
    parts = name.split(".")
    levels = [(kind, ".".join(parts[: number + 1])) for number, kind in enumerate(("catalog", "schema", "volume"))]
    above = levels[: len(parts)] if securable in {"catalog", "schema", "volume"} else [(securable, name)]
    return set[str]().union(*(held(call.world, call.caller, kind, one) for kind, one in above))


def _refuse(privilege: str, securable: str, name: str) -> None:
    shown = re.sub("[A-Z]", lambda found: f" {found[0]}", securable).title()
    raise RefusedError(403, "PERMISSION_DENIED", f"User does not have {privilege} on {shown} '{name}'.")


def refuse_job_stranger(call: DatabricksCall) -> None:
    """A rule for a job's change or deletion: by its owner, or with CAN_MANAGE.

    Databricks also lets workspace admins; the stack does not rely on who is one.
    """
    if call.old is None or call.old.outputs.get(OWNER) == call.caller:
        return
    entries = [
        entry
        for record in call.world.all(PERMISSIONS)
        if record.inputs.get("jobId") == call.name
        for entry in record.inputs["accessControls"]
    ]
    if not any(call.caller in entry.values() and entry["permissionLevel"] == "CAN_MANAGE" for entry in entries):
        message = f"{call.caller} does not have Manage permissions on job {call.name}."
        raise RefusedError(403, "PERMISSION_DENIED", message)


def refuse_without_metastores(call: DatabricksCall, privilege: str) -> None:
    """Raise unless the caller holds a privilege in the metastore. Nobody is its owner: Databricks made it."""
    world = call.world
    held = world.setting("admin_privileges")
    if call.old is None and not {privilege, ALL} & set(METASTORE_PRIVILEGES if held is None else held):
        message = f"User does not have {privilege.replace('_', ' ')} on Metastore 'm-1'."
        raise RefusedError(403, "PERMISSION_DENIED", message)


def held(world: World, who: str, securable: str, name: str) -> set[str]:
    """The privileges of `who` on one object itself."""
    record = world.get(f"{METASTORE}/{COLLECTIONS[securable]}/{name}")
    if record is not None and record.outputs.get(OWNER) == who:
        return {ALL, OWNED}
    grants = (grant.inputs for grant in world.all(GRANT) if str(grant.inputs.get(securable)).lower() == name.lower())
    return {
        str(privilege).replace(" ", "_")
        for grant in grants
        if grant["principal"] in {who, EVERYBODY}
        for privilege in grant["privileges"]
    }
