"""The simulated Databricks: objects of a workspace and of the Unity Catalog metastore above it, with who may do what.
Run as a program, it stands in for Pulumi's provider.

Workspace objects belong to the workspace in the record and are deleted with it; metastore objects outlive it, as on
Databricks. Nothing answers until the workspace is ready and the caller is a member.

Nobody is found in Databricks before they were added or have signed in, whatever Entra ID knows. Those who sign in by a
role on the workspace in ARM before they were added are its admins, others by assignment. Only admins and owners read
and change a job, and only admins members and assignments.

Unity Catalog's objects have names that are unique in the metastore. Their creator owns them, and has all privileges on
them and on what lies in them. Others need a grant on the object or on one above it: MANAGE to change and delete it,
which allows nothing else with it; any privilege to see it (Microsoft's pages "Unity Catalog privileges and securable
objects" and "Manage Unity Catalog object ownership").
"""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from personalize.stack.interrupted import identity_of
from tests.simulation.cloud import Call, Cloud, ResourceType, Rule
from tests.simulation.plugins.protocol import serve_cloud
from tests.simulation.services.catalogue import DATABRICKS
from tests.simulation.world import Record, RefusedError, World, key_of, world_from_environment

VERSION = "1.118.0"
"""The provider's."""
METASTORE = "/metastore"
OWNER = "owner"
"""Output with the caller that created an object."""
CREDENTIAL = "databricks:index/storageCredential:StorageCredential"
LOCATION = "databricks:index/externalLocation:ExternalLocation"
CATALOG = "databricks:index/catalog:Catalog"
SCHEMA = "databricks:index/schema:Schema"
VOLUME = "databricks:index/volume:Volume"
USER = "databricks:index/user:User"
APPLICATION = "databricks:index/servicePrincipal:ServicePrincipal"
ASSIGNMENT = "databricks:index/permissionAssignment:PermissionAssignment"
MEMBERS = ("userName", "applicationId", "principalId", "groupName")
"""The inputs with which the three name somebody."""
GRANT = "databricks:index/grant:Grant"
JOB = "databricks:index/job:Job"
ALL = "ALL_PRIVILEGES"
MANAGE = "MANAGE"
OWNED = "owned"
"""What an owner has besides all privileges, and MANAGE allows too."""
EVERYBODY = "account users"
READ, WRITE = "r", "w"
NESTED = ("catalog", "schema", "volume")
Inputs = Mapping[str, Any]


def members(world: World, workspace: Record) -> set[str]:
    """The names of those who were added to a workspace or have signed in."""
    found = (one.inputs.get("userName", one.inputs.get("applicationId")) for one in world.under(workspace.id))
    return {*filter(None, found), *_signed_in(world, workspace)}


def is_admin(world: World, workspace: Record, who: str) -> bool:
    """Whether somebody may do everything in a workspace, such as creating a cluster."""
    given = (one.inputs for one in world.under(workspace.id) if one.type == ASSIGNMENT)
    assigned = {one.get("principalId") for one in given if "ADMIN" in one["permissions"]}
    return who in {*assigned, *_signed_in(world, workspace)}


def may_create_clusters(world: World, workspace: Record, who: str) -> bool:
    """Whether a job that runs as somebody gets a cluster."""
    allowed = (one.inputs["applicationId"] for one in world.all(APPLICATION) if one.inputs.get("allowClusterCreate"))
    return who in allowed or is_admin(world, workspace, who)


def _signed_in(world: World, workspace: Record) -> list[str]:
    return list(world.setting("members").get(workspace.outputs["workspaceId"], []))


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
    record = world.get(f"{METASTORE}/{securable}/{name}")
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


def _refuse_unless(privileges: set[str], call: Call, securable: str, name: str) -> None:
    """Raise unless the caller has one of these privileges, or any if there are none, on an object or on one above."""
    found = _held_on(call.world, call.caller, list(_levels(securable, name)))
    if not (found & privileges if privileges else found):
        _refuse(min(privileges, default="any privilege"), securable, name)


def _refuse_unknown(call: Call, securable: str, name: str) -> None:
    if call.world.get(f"{METASTORE}/{securable}/{name}") is None:
        code = f"{_words(securable).replace(' ', '_').upper()}_DOES_NOT_EXIST"
        raise RefusedError(404, code, f"{_words(securable)} '{name}' does not exist.")


def _refuse_in_metastore(call: Call, privilege: str) -> None:
    given = call.world.setting("admin_privileges")  # nobody owns the metastore: Databricks made it
    if given is not None and not {privilege, ALL} & set(given):
        _refuse(privilege, "metastore", "m-1")


def _refuse_above(call: Call, privilege: str, kind: str, name: str) -> None:
    """Raise unless the caller has the privilege on the object itself."""
    _refuse_unknown(call, kind, name)
    if not _held(call.world, call.caller, kind, name) & {privilege, ALL}:
        _refuse(privilege, kind, name)


def _refuse_outside_location(call: Call, privilege: str, path: str) -> None:
    """Raise unless the caller has the privilege on the external location that contains `path`."""
    location = covering(call.world, path)
    if location is None:
        raise RefusedError(403, "PERMISSION_DENIED", f"No external location covers '{path}'.")
    _refuse_above(call, privilege, "externalLocation", location.inputs["name"])


def _forget_grants(securable: str) -> Rule:
    """What a deletion does beside: privileges on an object, and on those in it, are gone with it."""

    def forget(call: Call) -> None:
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


def _refuse_grant(call: Call) -> None:
    _refuse_unknown(call, *_granted(call.inputs))
    who = str(call.inputs["principal"])
    groups = {str(item.inputs.get("groupName")) for item in call.world.all(ASSIGNMENT)}
    known = {EVERYBODY, *groups}.union(*(members(call.world, one) for one in call.world.all(DATABRICKS)))
    if who.lower() not in {name.lower() for name in known}:
        raise RefusedError(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal with name {who}.")


def _refuse_granter(call: Call) -> None:
    """Only owners and those with MANAGE see, give and take privileges."""
    inputs = call.inputs or (call.old.inputs if call.old else {})
    _refuse_unless({MANAGE, OWNED}, call, *_granted(inputs))


def _refuse_stranger(call: Call) -> None:
    """Raise unless the caller is an admin of the workspace, or the owner of the existing object."""
    owns = call.old is not None and call.old.outputs.get(OWNER) == call.caller
    if not owns and not is_admin(call.world, _workspace_with(call), call.caller):
        message = f"{call.caller} is not an admin of the workspace, and not the owner of {call.id}."
        raise RefusedError(403, "PERMISSION_DENIED", message)


def _workspace_with(call: Call) -> Record:
    return next(one for one in call.world.all(DATABRICKS) if call.id.startswith(key_of(one.id) + "/"))


def _owned(call: Call) -> dict[str, Any]:
    return {} if call.old else {OWNER: call.caller}


def _job_outputs(call: Call) -> dict[str, Any]:
    return {**_owned(call), "url": f"https://{_workspace_with(call).outputs['workspaceUrl']}/#job/{call.name}"}


Type = partial(ResourceType, outputs=_owned)


def _securable(kind: str, token: str, replaces: Iterable[str], creation: Rule) -> ResourceType:
    """A kind of object in Unity Catalog. `creation` refuses callers without the privileges that creating one needs."""

    def write(call: Call) -> None:
        if call.old is None:
            creation(call)
        else:
            _refuse_unless({MANAGE, OWNED}, call, kind, call.name)

    return Type(
        pulumi_type=token,
        collection=kind,
        in_metastore=True,
        replaces=frozenset(replaces),
        rules=(write,),
        delete_rules=(lambda call: _refuse_unless({MANAGE, OWNED}, call, kind, call.name), _forget_grants(kind)),
        read_rules=(lambda call: _refuse_unless(set(), call, kind, call.name),),
    )


def _create_credential(call: Call) -> None:
    _refuse_in_metastore(call, "CREATE_STORAGE_CREDENTIAL")
    connector = call.input("azureManagedIdentity.accessConnectorId")
    if connector and call.world.get(connector) is None:
        raise RefusedError(404, "INVALID_PARAMETER_VALUE", f"The access connector '{connector}' was not found.")


def _create_location(call: Call) -> None:
    _refuse_in_metastore(call, "CREATE_EXTERNAL_LOCATION")
    _refuse_above(call, "CREATE_EXTERNAL_LOCATION", "storageCredential", call.input("credentialName"))


def _create_catalog(call: Call) -> None:
    _refuse_in_metastore(call, "CREATE_CATALOG")
    _refuse_outside_location(call, "CREATE_MANAGED_STORAGE", call.input("storageRoot", ""))


def _create_schema(call: Call) -> None:
    _refuse_above(call, "CREATE_SCHEMA", "catalog", call.input("catalogName"))


def _create_volume(call: Call) -> None:
    _refuse_above(call, "CREATE_VOLUME", "schema", f"{call.input('catalogName')}.{call.input('schemaName')}")
    _refuse_outside_location(call, "CREATE_EXTERNAL_VOLUME", call.input("storageLocation", ""))


SECURABLES: Mapping[str, ResourceType] = {
    "storageCredential": _securable("storageCredential", CREDENTIAL, {"name"}, _create_credential),
    "externalLocation": _securable("externalLocation", LOCATION, {"name"}, _create_location),
    "catalog": _securable("catalog", CATALOG, {"name", "storageRoot"}, _create_catalog),
    "schema": _securable("schema", SCHEMA, {"name", "catalogName"}, _create_schema),
    "volume": _securable(
        "volume", VOLUME, {"catalogName", "schemaName", "storageLocation", "volumeType"}, _create_volume
    ),
}
"""By the input of a grant that names one."""
ALL_TYPES = [
    *SECURABLES.values(),
    Type(
        pulumi_type=GRANT,
        collection="grants",
        in_metastore=True,
        replaces=frozenset({"principal", *SECURABLES}),
        rules=(_refuse_grant, _refuse_granter),
        delete_rules=(_refuse_granter,),
        read_rules=(_refuse_granter,),
    ),
    *(
        ResourceType(
            pulumi_type=token,
            collection=collection,
            forced=True,
            replaces=frozenset(replaces),
            rules=(_refuse_stranger,),
            delete_rules=(_refuse_stranger,),
            read_rules=(_refuse_stranger,),
        )
        for token, collection, replaces in (
            (USER, "users", {"userName"}),
            (APPLICATION, "service-principals", {"applicationId"}),
            (ASSIGNMENT, "assignments", {"principalId", "groupName"}),
        )
    ),
    Type(
        pulumi_type=JOB,
        collection="jobs",
        rules=(lambda call: _refuse_stranger(call) if call.old else None,),
        delete_rules=(_refuse_stranger,),
        read_rules=(_refuse_stranger,),
        outputs=_job_outputs,
    ),
]
TYPES: Mapping[str, ResourceType] = {kind.pulumi_type: kind for kind in ALL_TYPES}


class Databricks(Cloud):
    """All types of Databricks; the provider's host identifies the workspace."""

    def __init__(self, world: World, host: str | None = None) -> None:
        """`host` is what `configure` gets."""
        super().__init__(world, TYPES)
        self._host = host

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the provider's settings; the host is unknown until the workspace exists."""
        host = settings.get("host")
        self._host = host if isinstance(host, str) else None

    def identity(self, kind: ResourceType, inputs: Mapping[str, Any]) -> str:
        """The object's name, or a number that Databricks gives it. Databricks numbers members too."""
        of_members = (inputs[name] for name in MEMBERS if name in inputs)
        if named := identity_of(kind.pulumi_type, inputs, "") or next(of_members, None):
            return str(named)
        with self.world.transaction():
            number = int(self.world.setting("next_number")) + 1
            self.world.set("next_number", number)
        return str(number)

    def call(self, kind: ResourceType, identity: str, inputs: Mapping[str, Any]) -> Call:
        """Refuses everybody but members of a workspace that is ready."""
        workspace = self._workspace()
        if workspace is None or workspace.ready > time.time():
            raise RefusedError(0, "NoSuchHost", f"cannot configure azure auth: no workspace answers at {self._host!r}.")
        base = METASTORE if kind.in_metastore else workspace.id
        key = key_of(f"{base}/{kind.collection}/{identity.strip('/')}")
        call = Call(self.world, kind, key, identity, inputs, self.world.get(key))
        if call.caller not in members(self.world, workspace):
            raise RefusedError(403, "PERMISSION_DENIED", f"{call.caller} is not a member of the workspace.")
        if kind.in_metastore and not self.world.setting("metastore"):
            raise RefusedError(404, "METASTORE_DOES_NOT_EXIST", "No metastore is assigned to the workspace.")
        return call

    def read(self, token: str, identity: str) -> Record | None:
        """Look an object up; it's gone if its workspace is."""
        kind = self.kind(token)
        with self.world.transaction():
            call = self.call(kind, identity, {}) if self._workspace() is not None else None
            if call is None or call.old is None:
                return None
            for rule in kind.read_rules:
                rule(call)
        return replace(call.old, id=identity)

    def _workspace(self) -> Record | None:
        wanted = (self._host or "").removeprefix("https://").rstrip("/")
        found = (record for record in self.world.all(DATABRICKS) if not record.deleting)
        return next((record for record in found if record.outputs["workspaceUrl"] == wanted), None)


if __name__ == "__main__":
    asyncio.run(serve_cloud(Databricks(world_from_environment()), VERSION))
