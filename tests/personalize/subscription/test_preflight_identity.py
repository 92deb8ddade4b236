"""What preflight knows about the signed-in identity: its name, its groups, and its roles."""

from infra.cloud.names import Names
from infra.cloud.role_list import Role
from personalize.bootstrap.groups import group_paths
from personalize.bootstrap.rights import deployer_role_id, only_roles
from personalize.checks.doctor import Status
from personalize.checks.subscription.preflight import examine
from tests.personalize.subscription.conftest import CALLER, GROUP, SUBSCRIPTION, World
from tests.personalize.subscription.findings import faults, named

CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ROLE_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
NAMES = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")


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


def test_a_directory_that_does_not_answer_stops_nothing(world: World) -> None:
    world.fake.refused["checkMemberObjects"] = (403, "Authorization_RequestDenied")
    found = named(examine(world.subject(deployers=[{"object_id": GROUP, "type": "Group"}])), "deployer")
    assert found.status is Status.REMARK
    assert "Authorization_RequestDenied" in found.found


def test_an_owner_needs_no_other_role(world: World) -> None:
    world.give_roles(OWNER, scope="/providers/Microsoft.Management/managementGroups/all")
    assert named(examine(world.subject()), "roles").status is Status.OK


def test_a_role_on_another_group_is_not_one_on_the_stack_s(world: World) -> None:
    world.give_roles(OWNER, scope=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other")
    found = named(examine(world.subject()), "roles")
    assert found.status is Status.WRONG
    assert f"Contributor on {SUBSCRIPTION}" in found.found


def in_groups(world: World, *scopes: str, condition: str = "") -> None:
    """The groups exist, and the signed-in identity has the deployer's roles in those of `scopes`."""
    for group in group_paths(NAMES):
        world.fake.resources[group.lower()] = {"id": group}
    subscription = f"/subscriptions/{SUBSCRIPTION}"
    definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/"
    given = [
        {"scope": scope, "roleDefinitionId": definition + role, "condition": condition if role != CONTRIBUTOR else None}
        for scope in scopes
        for role in (CONTRIBUTOR, ROLE_ADMINISTRATOR)
    ]
    given.append({"scope": subscription, "roleDefinitionId": definition + deployer_role_id(SUBSCRIPTION)})
    world.fake.answer("^GET .*/roleAssignments$", {"value": [{"properties": one} for one in given]})


def test_the_rights_that_bootstrap_gives_are_enough(world: World) -> None:
    in_groups(world, *group_paths(NAMES), condition=only_roles(*Role))
    assert named(examine(world.subject()), "roles").status is Status.OK


def test_rights_in_one_group_alone_are_not(world: World) -> None:
    in_groups(world, group_paths(NAMES)[0])
    found = named(examine(world.subject()), "roles")
    assert (found.status, NAMES.training_group in found.found) == (Status.WRONG, False)
    assert f"Contributor on {NAMES.serving_group}" in found.found
    assert "an owner of the subscription runs" in found.fix


def test_rights_in_groups_that_are_not_there_yet_create_none(world: World) -> None:
    in_groups(world, *group_paths(NAMES))
    world.fake.resources.clear()
    assert named(examine(world.subject()), "roles").status is Status.WRONG


def test_a_condition_on_the_giving_of_roles_is_said(world: World) -> None:
    world.give_roles(CONTRIBUTOR, ROLE_ADMINISTRATOR, condition="@Resource[...]")
    found = named(examine(world.subject()), "roles")
    assert found.status is Status.REMARK
    assert found.fix.endswith("runs `.venv/bin/personalize bootstrap --stack dev`, which renews the condition")
