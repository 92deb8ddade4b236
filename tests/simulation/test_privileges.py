"""Who may create what in Unity Catalog, and use a volume."""

import pytest

from tests.simulation.databricks.cloud import Databricks
from tests.simulation.examples.databricks import APPLICATION
from tests.simulation.examples.lakehouse import create_before, of
from tests.simulation.refusal import RefusedError
from tests.simulation.services.privileges import GRANT, METASTORE_PRIVILEGES, volume_access
from tests.simulation.services.unity import CATALOG, CREDENTIAL, LOCATION, SCHEMA, VOLUME


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
