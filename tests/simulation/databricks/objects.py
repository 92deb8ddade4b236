"""The simulated Databricks' types, and who may do what with them. Run as a program, it stands in for Pulumi's provider.

Unity Catalog's objects have names that are unique in the metastore. Their creator owns them, and has all privileges on
them and on what lies in them. Others need a grant on the object or on one above it: MANAGE to change and delete it,
which allows nothing else with it; any privilege to see it (Microsoft's pages "Unity Catalog privileges and securable
objects" and "Manage Unity Catalog object ownership").
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.databricks.cloud import METASTORE, OWNER, Databricks, DatabricksCall, DatabricksType, Rule
from tests.simulation.plugins.protocol import serve
from tests.simulation.services.authorization import SERVICE_PRINCIPAL, principals
from tests.simulation.world import Record, RefusedError, World, world_from_environment

VERSION = "1.118.0"
"""The provider's."""
CREDENTIAL = "databricks:index/storageCredential:StorageCredential"
LOCATION = "databricks:index/externalLocation:ExternalLocation"
CATALOG = "databricks:index/catalog:Catalog"
SCHEMA = "databricks:index/schema:Schema"
VOLUME = "databricks:index/volume:Volume"
MEMBER = "databricks:index/servicePrincipal:ServicePrincipal"
GRANT = "databricks:index/grant:Grant"
PERMISSIONS = "databricks:index/permissions:Permissions"
JOB = "databricks:index/job:Job"
POLICY = "databricks:index/clusterPolicy:ClusterPolicy"
ALL = "ALL_PRIVILEGES"
MANAGE = "MANAGE"
OWNED = "owned"
"""What an owner has besides all privileges, and MANAGE allows too."""
EVERYBODY = "account users"
READ, WRITE = "r", "w"
NESTED = ("catalog", "schema", "volume")
Inputs = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Securable:
    """A kind of object in Unity Catalog, and which privileges creating one needs."""

    pulumi_type: str
    collection: str
    identity: Callable[[Inputs], str] = lambda inputs: str(inputs["name"])
    replaces: frozenset[str]
    in_metastore: str = ""
    """The privilege in the metastore."""
    above: tuple[str, str, Callable[[Inputs], str]] | None = None
    """The privilege on another object: its kind, and its name from the inputs."""
    within: tuple[str, str] | None = None
    """The privilege on the external location that contains the path in this input."""


SECURABLES: Mapping[str, Securable] = {
    "storageCredential": Securable(
        pulumi_type=CREDENTIAL,
        collection="storage-credentials",
        replaces=frozenset({"name"}),
        in_metastore="CREATE_STORAGE_CREDENTIAL",
    ),
    "externalLocation": Securable(
        pulumi_type=LOCATION,
        collection="external-locations",
        replaces=frozenset({"name"}),
        in_metastore="CREATE_EXTERNAL_LOCATION",
        above=("CREATE_EXTERNAL_LOCATION", "storageCredential", lambda inputs: str(inputs["credentialName"])),
    ),
    "catalog": Securable(
        pulumi_type=CATALOG,
        collection="catalogs",
        replaces=frozenset({"name", "storageRoot"}),
        in_metastore="CREATE_CATALOG",
        within=("CREATE_MANAGED_STORAGE", "storageRoot"),
    ),
    "schema": Securable(
        pulumi_type=SCHEMA,
        collection="schemas",
        identity=lambda inputs: f"{inputs['catalogName']}.{inputs['name']}",
        replaces=frozenset({"name", "catalogName"}),
        above=("CREATE_SCHEMA", "catalog", lambda inputs: str(inputs["catalogName"])),
    ),
    "volume": Securable(
        pulumi_type=VOLUME,
        collection="volumes",
        identity=lambda inputs: f"{inputs['catalogName']}.{inputs['schemaName']}.{inputs['name']}",
        replaces=frozenset({"catalogName", "schemaName", "storageLocation", "volumeType"}),
        above=("CREATE_VOLUME", "schema", lambda inputs: f"{inputs['catalogName']}.{inputs['schemaName']}"),
        within=("CREATE_EXTERNAL_VOLUME", "storageLocation"),
    ),
}
"""By the input of a grant that names one."""


def volume_access(world: World, who: str, volume: str) -> str:
    """`r`, `rw` or nothing: what `who` may do with the files of a volume `CATALOG.SCHEMA.VOLUME`."""
    levels = list(_levels("volume", volume))
    on_catalog, on_schema, on_volume = (_held_on(world, who, levels[: count + 1]) for count in range(len(levels)))
    if not (on_catalog & {"USE_CATALOG", ALL} and on_schema & {"USE_SCHEMA", ALL} and on_volume & {"READ_VOLUME", ALL}):
        return ""
    return READ + (WRITE if on_volume & {"WRITE_VOLUME", ALL} else "")


def covering(world: World, url: str) -> Record | None:
    """The external location that contains a path."""
    below = _folder(url)
    return next((item for item in world.all(LOCATION) if below.startswith(_folder(item.inputs["url"]))), None)


def _folder(url: object) -> str:
    return str(url).rstrip("/") + "/"


def _levels(securable: str, name: str) -> Iterator[tuple[str, str]]:
    """An object and those above it, the highest first."""
    if securable not in NESTED:
        yield securable, name
        return
    parts = name.split(".")
    for number, kind in enumerate(NESTED[: len(parts)]):
        yield kind, ".".join(parts[: number + 1])


def _held(world: World, who: str, securable: str, name: str) -> set[str]:
    """The privileges of `who` on one object itself; `OWNED` for its owner."""
    record = world.get(f"{METASTORE}/{SECURABLES[securable].collection}/{name}")
    if record is not None and record.outputs.get(OWNER) == who:
        return {ALL, OWNED}
    grants = (grant.inputs for grant in world.all(GRANT) if str(grant.inputs.get(securable)).lower() == name.lower())
    return {
        str(privilege).replace(" ", "_")
        for grant in grants
        if grant["principal"] in {who, EVERYBODY}
        for privilege in grant["privileges"]
    }


def _held_on(world: World, who: str, levels: list[tuple[str, str]]) -> set[str]:
    return set[str]().union(*(_held(world, who, kind, name) for kind, name in levels))


def _refuse(privilege: str, securable: str, name: str) -> None:
    raise RefusedError(403, "PERMISSION_DENIED", f"User does not have {privilege} on {_words(securable)} '{name}'.")


def _words(name: str) -> str:
    return re.sub("[A-Z]", lambda found: f" {found[0].lower()}", name).capitalize()


def _refuse_unless(privileges: set[str], call: DatabricksCall, securable: str, name: str) -> None:
    """Raise unless the caller has one of these privileges, or any if there are none, on an object or on one above."""
    found = _held_on(call.world, call.caller, list(_levels(securable, name)))
    if not (found & privileges if privileges else found):
        _refuse(min(privileges, default="any privilege"), securable, name)


def _refuse_unknown(call: DatabricksCall, securable: str, name: str) -> None:
    if call.named(SECURABLES[securable].collection, name) is None:
        code = f"{_words(securable).replace(' ', '_').upper()}_DOES_NOT_EXIST"
        raise RefusedError(404, code, f"{_words(securable)} '{name}' does not exist.")


def _refuse_creation(securable: str) -> Rule:
    """Raise unless the caller has the privileges that creating an object needs, and what it refers to exists."""
    kind = SECURABLES[securable]

    def refuse(call: DatabricksCall) -> None:
        if call.old is not None:
            _refuse_unless({MANAGE, OWNED}, call, securable, call.name)
            return
        given = call.world.setting("admin_privileges")  # nobody owns the metastore: Databricks made it
        if kind.in_metastore and given is not None and not {kind.in_metastore, ALL} & set(given):
            _refuse(kind.in_metastore, "metastore", "m-1")
        if kind.above:
            privilege, what, named = kind.above
            _refuse_unknown(call, what, named(call.inputs))
            if not _held(call.world, call.caller, what, named(call.inputs)) & {privilege, ALL}:
                _refuse(privilege, what, named(call.inputs))
        if kind.within:
            privilege, path = kind.within
            location = covering(call.world, str(call.inputs.get(path) or ""))
            if location is None:
                message = f"No external location covers '{call.inputs.get(path)}'."
                raise RefusedError(403, "PERMISSION_DENIED", message)
            if not _held(call.world, call.caller, "externalLocation", location.inputs["name"]) & {privilege, ALL}:
                _refuse(privilege, "externalLocation", location.inputs["name"])

    return refuse


def _refuse_missing_connector(call: DatabricksCall) -> None:
    connector = (call.inputs.get("azureManagedIdentity") or {}).get("accessConnectorId")
    if connector and call.world.get(connector) is None:
        raise RefusedError(404, "INVALID_PARAMETER_VALUE", f"The access connector '{connector}' was not found.")


def _refuse_stranger(securable: str) -> Rule:
    return lambda call: _refuse_unless({MANAGE, OWNED}, call, securable, call.name)


def _refuse_blind(securable: str) -> Rule:
    return lambda call: _refuse_unless(set(), call, securable, call.name)


def _forget_grants(securable: str) -> Rule:
    """What a deletion does beside: privileges on an object, and on those in it, are gone with it."""

    def forget(call: DatabricksCall) -> None:
        for grant in call.world.all(GRANT):
            _, name = _granted(grant.inputs)
            inside = securable == "catalog" and name.startswith(f"{call.name}.")
            if grant.inputs.get(securable) == call.name or inside:
                call.world.remove(grant.id)

    return forget


def _granted(inputs: Inputs) -> tuple[str, str]:
    """The kind and the name of the only object that a grant is on."""
    (securable,) = [name for name in SECURABLES if inputs.get(name)]
    return securable, str(inputs[securable])


def _grant_identity(inputs: Inputs) -> str:
    """A grant's id as the provider builds it: `external_location/NAME/PRINCIPAL`."""
    securable, name = _granted(inputs)
    return f"{_words(securable).replace(' ', '_').lower()}/{name}/{inputs.get('principal')}"


def _refuse_grant(call: DatabricksCall) -> None:
    _refuse_unknown(call, *_granted(call.inputs))
    who = str(call.inputs["principal"])
    people = {name for name, found in principals(call.world).items() if found.type != SERVICE_PRINCIPAL}
    members = {str(item.inputs["applicationId"]) for item in call.world.all(MEMBER)}
    if who.lower() not in {name.lower() for name in {*people, *members, EVERYBODY}}:
        raise RefusedError(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal with name {who}.")


def _refuse_granter(call: DatabricksCall) -> None:
    """Only owners and those with MANAGE see, give and take privileges."""
    inputs = call.inputs or (call.old.inputs if call.old else {})
    _refuse_unless({MANAGE, OWNED}, call, *_granted(inputs))


def _refuse_job_stranger(call: DatabricksCall) -> None:
    """A job is changed and deleted by its owner, or with CAN_MANAGE.

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


def _permissions_identity(inputs: Inputs) -> str | None:
    collections = {"jobId": "jobs", "clusterPolicyId": "policies"}
    return next((f"{held}-{inputs[name]}" for name, held in collections.items() if inputs.get(name)), None)


def _governed(securable: str, kind: Securable) -> DatabricksType:
    return DatabricksType(
        pulumi_type=kind.pulumi_type,
        collection=kind.collection,
        in_metastore=True,
        identity=kind.identity,
        replaces=kind.replaces,
        rules=(_refuse_creation(securable), _refuse_missing_connector),
        delete_rules=(_refuse_stranger(securable), _forget_grants(securable)),
        read_rules=(_refuse_blind(securable),),
    )


ALL_TYPES = [
    *(_governed(securable, kind) for securable, kind in SECURABLES.items()),
    DatabricksType(
        pulumi_type=GRANT,
        collection="grants",
        in_metastore=True,
        identity=_grant_identity,
        replaces=frozenset({"principal", *SECURABLES}),
        rules=(_refuse_grant, _refuse_granter),
        delete_rules=(_refuse_granter,),
        read_rules=(_refuse_granter,),
    ),
    DatabricksType(
        pulumi_type=MEMBER,
        collection="service-principals",
        identity=lambda _: None,
        replaces=frozenset({"applicationId"}),
    ),
    DatabricksType(
        pulumi_type=PERMISSIONS,
        collection="permissions",
        identity=_permissions_identity,
        replaces=frozenset({"jobId", "clusterPolicyId"}),
    ),
    DatabricksType(
        pulumi_type=POLICY,
        collection="policies",
        identity=lambda _: None,
        outputs=lambda call: {"policyId": call.name},
    ),
    DatabricksType(
        pulumi_type=JOB,
        collection="jobs",
        identity=lambda _: None,
        rules=(_refuse_job_stranger,),
        delete_rules=(_refuse_job_stranger,),
        outputs=lambda call: {"url": f"https://{call.workspace.outputs['workspaceUrl']}/#job/{call.name}"},
    ),
]
TYPES: Mapping[str, DatabricksType] = {kind.pulumi_type: kind for kind in ALL_TYPES}

if __name__ == "__main__":
    asyncio.run(serve(Databricks(world_from_environment(), TYPES), VERSION))
