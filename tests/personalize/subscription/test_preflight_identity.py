"""What preflight knows about the signed-in identity: its name, its groups, and its roles."""

from personalize.checks.doctor import Status
from personalize.checks.subscription.preflight import examine
from personalize.checks.subscription.subject import claims_of
from tests.personalize.subscription.conftest import CALLER, GROUP, SUBSCRIPTION, World
from tests.personalize.subscription.findings import faults, named

CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ROLE_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"


def test_a_variable_that_gives_a_client_another_identity_is_named(world: World) -> None:
    others = {"ARM_CLIENT_SECRET": "secret", "ARM_USE_MSI": "true", "DATABRICKS_TOKEN": "overridden"}
    found = faults(examine(world.subject(environment=others)))
    assert found["identity"].fix == "unset ARM_CLIENT_SECRET ARM_USE_MSI"
    assert "secret" not in found["identity"].found


def test_a_deployer_by_a_group_passes(world: World) -> None:
    world.fake.answer("/checkMemberObjects$", {"value": [GROUP]})
    findings = examine(world.subject(deployers=[{"object_id": GROUP, "type": "Group"}]))
    assert faults(findings) == {}
    [asked] = [call for call in world.fake.calls if call.path.endswith("/checkMemberObjects")]
    assert (asked.path, asked.body) == (f"/v1.0/directoryObjects/{CALLER}/checkMemberObjects", {"ids": [GROUP]})


def test_a_stranger_is_told_what_to_add_to_the_settings(world: World) -> None:
    world.fake.answer("/checkMemberObjects$", {"value": []})
    found = faults(examine(world.subject(deployers=[{"object_id": GROUP, "type": "Group"}])))
    assert f"{{object_id: {CALLER}, type: User}}" in found["deployer"].fix


def test_a_directory_that_does_not_answer_stops_nothing(world: World) -> None:
    world.fake.refused["checkMemberObjects"] = (403, "Authorization_RequestDenied")
    found = named(examine(world.subject(deployers=[{"object_id": GROUP, "type": "Group"}])), "deployer")
    assert found.status is Status.REMARK
    assert "Authorization_RequestDenied" in found.found


def test_an_application_that_is_named_as_a_user_is_corrected(world: World) -> None:
    world.claims = {"oid": CALLER, "appid": "workflow", "idtyp": "app"}
    assert "type: ServicePrincipal" in faults(examine(world.subject()))["deployer"].fix


def test_an_owner_needs_no_other_role(world: World) -> None:
    world.give_roles(OWNER, scope="/providers/Microsoft.Management/managementGroups/all")
    assert named(examine(world.subject()), "roles").status is Status.OK


def test_a_role_on_a_group_is_not_one_on_the_subscription(world: World) -> None:
    world.give_roles(OWNER, scope=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other")
    assert named(examine(world.subject()), "roles").found == (
        "Contributor and Role Based Access Control Administrator missing"
    )


def test_a_condition_on_the_giving_of_roles_is_said(world: World) -> None:
    world.give_roles(CONTRIBUTOR, ROLE_ADMINISTRATOR, condition="@Resource[...]")
    assert named(examine(world.subject()), "roles").status is Status.REMARK


def test_a_token_says_who_it_belongs_to() -> None:
    assert claims_of("e30.eyJvaWQiOiJtZSJ9.c2lnbmVk") == {"oid": "me"}
