"""Who may create what in Unity Catalog, and use a volume."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.simulation.databricks.cloud import Databricks
from tests.simulation.examples.databricks import APPLICATION
from tests.simulation.examples.lakehouse import create_before, of
from tests.simulation.refusal import RefusedError
from tests.simulation.services.jobs import JOB
from tests.simulation.services.privileges import GRANT, METASTORE_PRIVILEGES, PERMISSIONS, volume_access
from tests.simulation.services.unity import CATALOG, CREDENTIAL, LOCATION, MEMBER, SCHEMA, VOLUME


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        (CREDENTIAL, "CREATE_STORAGE_CREDENTIAL"),
        (LOCATION, "CREATE_EXTERNAL_LOCATION"),
        (CATALOG, "CREATE_CATALOG"),
    ],
)
def test_a_caller_without_the_metastores_privilege_creates_nothing_there(
    lakehouse: Databricks, kind: str, missing: str
) -> None:
    """Databricks' wording is from databricks/terraform-provider-databricks#2828."""
    create_before(lakehouse, kind)
    lakehouse.world.set("held_privileges", sorted(METASTORE_PRIVILEGES - {missing}))
    with pytest.raises(RefusedError) as refused:
        lakehouse.create(kind, of(kind))
    assert refused.value.message == f"User does not have {missing.replace('_', ' ')} on Metastore 'm-1'."
    lakehouse.world.set("held_privileges", None)
    lakehouse.create(kind, of(kind))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (CATALOG, "User does not have CREATE MANAGED STORAGE on External Location 'work-dev'."),
        (SCHEMA, "User does not have CREATE SCHEMA on Catalog 'dev'."),
        (VOLUME, "User does not have CREATE VOLUME on Schema 'dev.training'."),
    ],
)
def test_only_an_owner_creates_something_in_an_object_without_a_grant(
    lakehouse: Databricks, kind: str, message: str
) -> None:
    create_before(lakehouse, kind)
    world = lakehouse.world
    owner, other = (entry["object_id"] for entry in world.setting("deployers"))
    world.set("members", {identity: [owner, other] for identity in world.setting("members")})
    world.set("caller", other)
    with pytest.raises(RefusedError) as refused:
        lakehouse.create(kind, of(kind))
    assert refused.value.message == message
    world.set("caller", owner)
    lakehouse.create(kind, of(kind))


INHERITED = {"catalog": "dev", "schema": "dev.training", "volume": "dev.training.work"}
ABOVE = ["USE_CATALOG", "USE_SCHEMA"]


@pytest.mark.parametrize(
    ("grants", "allowed"),
    [
        ({"catalog": [*ABOVE, "READ_VOLUME", "WRITE_VOLUME"]}, "rw"),
        ({"catalog": [*ABOVE, "READ_VOLUME"]}, "r"),
        ({"catalog": [*ABOVE, "READ_VOLUME"], "volume": ["WRITE_VOLUME"]}, "rw"),
        ({"catalog": ["USE_CATALOG"], "schema": ["USE_SCHEMA", "READ_VOLUME"]}, "r"),
        ({"catalog": ["ALL_PRIVILEGES"]}, "rw"),
        ({"catalog": ["USE_CATALOG"], "volume": ["ALL_PRIVILEGES"]}, ""),
        ({"schema": ["USE_SCHEMA"], "volume": ["READ_VOLUME"]}, ""),
        ({}, ""),
    ],
)
def test_privileges_on_a_volume_come_from_all_that_is_above_it(
    lakehouse: Databricks, grants: dict[str, list[str]], allowed: str
) -> None:
    create_before(lakehouse, VOLUME)
    lakehouse.create(VOLUME, of(VOLUME))
    for securable, privileges in grants.items():
        lakehouse.create(GRANT, {securable: INHERITED[securable], "principal": APPLICATION, "privileges": privileges})
    assert volume_access(lakehouse.world, APPLICATION, "dev.training.work") == allowed
    assert volume_access(lakehouse.world, lakehouse.world.setting("caller"), "dev.training.work") == "rw", "the owner"


@pytest.fixture
def other(lakehouse: Databricks) -> str:
    """A second deployer, who is signed in after the first one has created everything."""
    create_before(lakehouse, None)
    world = lakehouse.world
    owner, second = (str(entry["object_id"]) for entry in world.setting("deployers"))
    lakehouse.create(MEMBER, {"applicationId": second})
    world.set("members", {identity: [owner, second] for identity in world.setting("members")})
    world.set("caller", second)
    return second


def as_owner(cloud: Databricks, give: Callable[[], object]) -> None:
    """Do something as the first deployer."""
    caller = cloud.world.setting("caller")
    cloud.world.set("caller", cloud.world.setting("deployers")[0]["object_id"])
    give()
    cloud.world.set("caller", caller)


@pytest.mark.parametrize(
    ("kind", "identity", "grant"),
    [
        (CREDENTIAL, "lake-dev", {"storageCredential": "lake-dev"}),
        (LOCATION, "raw-dev", {"externalLocation": "raw-dev"}),
        (CATALOG, "dev", {"catalog": "dev"}),
        (SCHEMA, "dev.training", {"catalog": "dev"}),
        (VOLUME, "dev.training.work", {"catalog": "dev"}),
    ],
)
def test_what_another_deployer_made_is_seen_changed_and_deleted_only_with_a_grant(
    lakehouse: Databricks, other: str, kind: str, identity: str, grant: dict[str, str]
) -> None:
    inputs = dict(next(one for one in lakehouse.world.all(kind) if one.id.endswith("/" + identity)).inputs)
    for refused in (
        lambda: lakehouse.read(kind, identity),
        lambda: lakehouse.update(kind, identity, inputs | {"comment": "changed"}),
        lambda: lakehouse.delete(kind, identity),
        lambda: lakehouse.create(GRANT, {**grant, "principal": other, "privileges": ["MANAGE"]}),
    ):
        with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
            refused()
    more = {"externalLocation": ["CREATE_MANAGED_STORAGE", "CREATE_EXTERNAL_VOLUME"], "catalog": ["CREATE_VOLUME"]}
    for securable, name in {**grant, "externalLocation": grant.get("externalLocation", "work-dev")}.items():
        given = ["MANAGE", *more.get(securable, ["CREATE_EXTERNAL_LOCATION"])]
        as_owner(
            lakehouse,
            partial(lakehouse.create, GRANT, {securable: name, "principal": other, "privileges": given}),
        )
    assert lakehouse.read(kind, identity) is not None
    lakehouse.update(kind, identity, inputs | {"comment": "changed"})
    if kind == CREDENTIAL:
        inputs["forceDestroy"] = True
        lakehouse.update(kind, identity, inputs)
    lakehouse.delete(kind, identity)
    assert not [one for one in lakehouse.world.all(kind) if one.id.endswith("/" + identity)]
    ((securable, name),) = grant.items()
    left = [one for one in lakehouse.world.all(GRANT) if one.inputs.get(securable) == name]
    assert bool(left) is (identity != name), "privileges are gone with their object"


@pytest.mark.parametrize("level", ["CAN_VIEW", "CAN_MANAGE"])
def test_a_job_is_changed_and_deleted_by_its_owner_and_those_who_manage_it(
    lakehouse: Databricks, other: str, level: str
) -> None:
    world = lakehouse.world
    (job,) = world.all(JOB)
    number = job.id.rpartition("/")[2]
    (permissions,) = world.all(PERMISSIONS)
    entry = {"servicePrincipalName": other, "permissionLevel": level}
    as_owner(
        lakehouse,
        lambda: lakehouse.update(
            PERMISSIONS, permissions.id.rpartition("/")[2], {"jobId": number, "accessControls": [entry]}
        ),
    )
    if level == "CAN_MANAGE":
        lakehouse.update(JOB, number, dict(job.inputs))
        lakehouse.delete(JOB, number)
        return
    for refused in (lambda: lakehouse.update(JOB, number, dict(job.inputs)), lambda: lakehouse.delete(JOB, number)):
        with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
            refused()
