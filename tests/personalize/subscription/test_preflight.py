"""Preflight: a complete subscription passes, and each missing requirement is found by itself, with a fix."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from azure_clients.credentials import DATABRICKS, IdentityError
from infra.cloud.names import Names
from infra.cloud.role_list import Role
from personalize.bootstrap.resources import group_paths
from personalize.bootstrap.rights import deployer_role_id, only_roles
from personalize.checks.machine import Finding, Status
from personalize.checks.preflight import examine
from personalize.checks.subject import Subject
from tests.personalize.subscription.conftest import CALLER, GROUP, TENANT, World
from tests.support.azure_stack import SUBSCRIPTION


def faults(findings: list[Finding]) -> dict[str, Finding]:
    return {found.name: found for found in findings if not found.ok}


def named(findings: list[Finding], name: str) -> Finding:
    [found] = [found for found in findings if found.name == name]
    return found


CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
NOBODY = "00000000-0000-0000-0000-000000000000"


def test_a_subscription_that_has_everything_passes_and_nothing_is_changed(world: World) -> None:
    findings = examine(world.subject())
    assert [(found.name, found.status) for found in findings if found.status is not Status.OK] == []
    assert len(findings) == 11
    assert {line.rpartition("/")[2] for line in world.fake.changes()} == {"checkNameAvailability"}


SPOILED: dict[str, tuple[Callable[[World], object], str]] = {
    "identity": (lambda world: world.owners.update({DATABRICKS: NOBODY}), "az login --tenant"),
    "roles": (lambda world: world.give_roles(CONTRIBUTOR), "an owner of the subscription runs"),
    "resource providers": (
        lambda world: world.fake.answer("/Microsoft.Databricks$", {"registrationState": "NotRegistered"}),
        ".venv/bin/personalize bootstrap --stack dev",
    ),
    "state": (lambda world: world.fake.resources.clear(), ".venv/bin/personalize bootstrap --stack dev"),
    "VM sizes": (
        lambda world: world.restrictions.update({"Standard_E4ds_v5": [{"type": "Location"}]}),
        "westeurope has Standard_D4ds_v5",
    ),
    "quota": (lambda world: world.usages.update({"standardEDSv5Family": (98, 100)}), "standardEDSv5Family 4 free"),
    "Kubernetes": (
        lambda world: world.fake.answer("/kubernetesVersions$", {"values": [{"version": "1.36"}]}),
        "azure.kubernetes_version",
    ),
    "names": (
        lambda world: world.fake.answer(
            "Microsoft.KeyVault/checkNameAvailability$", {"nameAvailable": False, "message": "soft-deleted"}
        ),
        "azure.suffix",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_each_thing_that_is_missing_is_found_alone_and_comes_with_a_fix(world: World, name: str) -> None:
    change, fix = SPOILED[name]
    change(world)
    found = faults(examine(world.subject()))
    assert list(found) == [name]
    assert fix in found[name].fix


def test_the_example_s_zeros_are_refused_before_anybody_is_asked(world: World) -> None:
    findings = examine(world.subject(subscription=NOBODY, deployers=[{"object_id": NOBODY, "type": "Group"}]))
    assert [found.name for found in findings] == ["stack file"]
    assert "`azure.subscription`, `azure.deployers` are still the example's zeros" in findings[0].found
    assert world.fake.calls == []


def test_nobody_who_is_signed_in_is_the_only_finding(world: World) -> None:
    world.fake.answer(f"^GET /subscriptions/{SUBSCRIPTION}$", lambda _: (_ for _ in ()).throw(IdentityError("nobody")))
    findings = examine(world.subject())
    assert [(found.name, found.fix) for found in findings] == [("sign-in", f"az login --tenant {TENANT}")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {"error": {"code": "SubscriptionNotFound", "message": "no"}}), "not visible"),
        ({"state": "Warned", "tenantId": TENANT}, "it is Warned"),
        ({"state": "Enabled", "tenantId": NOBODY}, f"belongs to the directory {NOBODY}"),
    ],
)
def test_a_subscription_that_cannot_be_used_stops_everything_else(world: World, answer: object, said: str) -> None:
    world.fake.answer(f"^GET /subscriptions/{SUBSCRIPTION}$", answer)  # type: ignore[arg-type]
    findings = examine(world.subject())
    assert [found.name for found in findings] == ["subscription"]
    assert said in findings[0].found


UNREGISTERED = {"error": {"code": "MissingSubscriptionRegistration", "message": "The subscription is not registered."}}
UNKNOWN = "AADSTS500011: The resource principal named 2ff814a6 was not found in the tenant named T."


def new_subscription(world: World) -> Subject:
    """A subscription without any registered provider, whose directory does not know Databricks yet."""
    world.fake.answer(r"^GET .*/providers/Microsoft\.\w+$", {"registrationState": "NotRegistered"})
    for asked in ("/kubernetesVersions$", "/usages$", "/Microsoft.Compute/skus$", "/checkNameAvailability$"):
        world.fake.answer(asked, (409, UNREGISTERED))
    world.fake.resources.clear()
    subject = world.subject()

    def claims(scope: str) -> dict[str, Any]:
        if scope == DATABRICKS:
            raise ClientAuthenticationError(UNKNOWN)
        return subject.claims(scope)

    return replace(subject, claims=claims)


def test_what_a_new_subscription_lacks_is_what_the_bootstrap_mends(world: World) -> None:
    findings = examine(new_subscription(world))
    left = faults(findings)
    assert set(left) == {"resource providers", "state", "VM sizes", "Kubernetes", "names"}
    assert all("personalize bootstrap --stack dev" in found.fix for found in left.values())
    identity = named(findings, "identity")
    assert (identity.status, "Databricks" in identity.found) == (Status.REMARK, True)


def test_the_stack_s_own_names_are_free_for_it(world: World) -> None:
    world.fake.answer("Microsoft.Storage/checkNameAvailability$", {"nameAvailable": False, "reason": "AlreadyExists"})
    names = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{names.training_group}"
    for account in (names.lake, names.workspace_storage):
        world.fake.resources[f"{group}/providers/Microsoft.Storage/storageAccounts/{account}".lower()] = {}
    assert named(examine(world.subject()), "names").status is Status.OK


def test_the_group_that_databricks_makes_must_not_be_there_without_it(world: World) -> None:
    names = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
    world.fake.resources[f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{names.databricks_group}".lower()] = {}
    assert "exists without its workspace" in named(examine(world.subject()), "names").found


@pytest.mark.parametrize(("docker", "status"), [(None, Status.WRONG), ("/usr/bin/docker", Status.REMARK)])
def test_a_trial_needs_a_docker_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, docker: str | None, status: Status
) -> None:
    policies = {"quotaId": "FreeTrial_2014-09-01", "spendingLimit": "On"}
    shown = {"state": "Enabled", "tenantId": TENANT, "subscriptionPolicies": policies}
    world.fake.answer(f"^GET /subscriptions/{SUBSCRIPTION}$", shown)
    monkeypatch.setattr("shutil.which", lambda _: docker)
    assert named(examine(world.subject()), "image builds").status is status


def test_a_refused_question_is_a_finding_of_its_own(world: World) -> None:
    world.fake.refused["/usages$"] = (403, "AuthorizationFailed")
    found = faults(examine(world.subject()))
    assert list(found) == ["VM sizes"]
    assert "AuthorizationFailed" in found["VM sizes"].found


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


TRAINING, SERVING = group_paths(NAMES)


def before_the_groups(world: World) -> None:
    """The roles are given, and the groups do not exist."""
    in_groups(world, TRAINING, SERVING)
    world.fake.resources.clear()


GIVEN: dict[str, tuple[Callable[[World], object], Status, str]] = {
    "the rights that bootstrap gives": (
        lambda world: in_groups(world, TRAINING, SERVING, condition=only_roles(*Role)),
        Status.OK,
        "may create resources",
    ),
    "an owner of all subscriptions": (
        lambda world: world.give_roles(OWNER, scope="/providers/Microsoft.Management/managementGroups/all"),
        Status.OK,
        "may create resources",
    ),
    "an owner of another group": (
        lambda world: world.give_roles(OWNER, scope=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"),
        Status.WRONG,
        f"Contributor on {SUBSCRIPTION}",
    ),
    "rights in one group": (
        lambda world: in_groups(world, TRAINING),
        Status.WRONG,
        f"missing: Contributor on {NAMES.serving_group}",
    ),
    "rights in groups that are not there yet": (
        before_the_groups,
        Status.WRONG,
        f"Contributor on {SUBSCRIPTION}",
    ),
    "another condition": (
        lambda world: world.give_roles(CONTRIBUTOR, ROLE_ADMINISTRATOR, condition="@Resource[...]"),
        Status.REMARK,
        "a condition limits which roles",
    ),
}


@pytest.mark.parametrize("rights", GIVEN)
def test_roles_are_enough_if_they_cover_the_stack_s_groups(world: World, rights: str) -> None:
    give, status, said = GIVEN[rights]
    give(world)
    found = named(examine(world.subject()), "roles")
    assert (found.status, said in found.found) == (status, True), found
    assert ("an owner of the subscription runs" in found.fix) is (status is not Status.OK)


HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub"
LOGS = f"{HUB}/providers/Microsoft.OperationalInsights/workspaces/logs"


def test_a_given_resource_that_is_missing_is_named_with_its_setting(world: World) -> None:
    subject = world.subject(training_group="theirs", log_analytics=LOGS)
    world.fake.resources[LOGS.lower()] = {}
    found = named(examine(subject), "given resources")
    assert found.status is Status.WRONG
    assert "resourceGroups/theirs (`azure.training_group`)" in found.found
    assert "log_analytics" not in found.found
    world.fake.resources[f"/subscriptions/{SUBSCRIPTION}/resourcegroups/theirs"] = {}
    assert named(examine(subject), "given resources").status is Status.OK


def test_a_stack_that_creates_all_of_its_own_is_asked_for_nothing(world: World) -> None:
    assert "given resources" not in {found.name for found in examine(world.subject())}


def test_a_zone_that_is_restricted_for_the_subscription_does_not_count(world: World) -> None:
    world.restrictions["Standard_D2ds_v5"] = [{"type": "Zone", "restrictionInfo": {"zones": ["2"]}}]
    assert "not offered in zone 2" in named(examine(world.subject(zones=["1", "2"])), "VM sizes").found


GONE = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]


def test_a_size_that_is_gone_is_told_with_sizes_and_regions_to_try(world: World) -> None:
    world.restrictions["Standard_E4ds_v5"] = GONE
    world.usages["standardEADSv5Family"] = (0, 3)
    found = named(examine(world.subject()), "VM sizes")
    assert found.status is Status.WRONG
    assert "Standard_E4ds_v5 (`azure.training_vm_size`) is not available to this subscription in we" in found.found
    assert found.fix.startswith("choose another VM size (westeurope has Standard_D4ds_v5, Standard_E8ds_v5), or ")
    assert found.fix.endswith("another `azure.location`, such as northeurope or swedencentral")


def test_a_quota_for_the_first_nodes_only_is_a_remark(world: World) -> None:
    # Nodes with 4 and 2 vCPUs, one of each at first, at most two and three; an upgrade adds one of each.
    world.usages["standardDDSv5Family"] = (0, 8)
    found = named(examine(world.subject()), "quota")
    assert found.status is Status.REMARK
    assert "the highest number of nodes" in found.found
    assert "standardDDSv5Family 20 free" in found.fix


def test_the_region_s_own_limit_counts_too(world: World) -> None:
    world.usages["cores"] = (0, 7)
    assert named(examine(world.subject()), "quota").found == "7 vCPUs of cores free"


SHARED: dict[str, Any] = {"scoring_nodes_max": 0, "system_nodes_max": 1, "replicas_max": 4}
"""As in stack `dev`: one node of 4 vCPUs, and 4 more for training."""


@pytest.mark.parametrize(("free", "status"), [(7, Status.WRONG), (10, Status.REMARK), (12, Status.OK)])
def test_an_upgrade_during_a_training_run_needs_more_than_the_ten_vcpus_of_a_new_subscription(
    world: World, free: int, status: Status
) -> None:
    world.usages["cores"] = (0, free)
    found = named(examine(world.subject(**SHARED)), "quota")
    assert found.status is status
    if status is Status.REMARK:
        assert "an upgrade adds for a while (Sundays from 2:00 UTC): 10 vCPUs" in found.found
        assert "cores 12 free" in found.fix


def create_cluster(world: World) -> None:
    """Create the stack's cluster."""
    names = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{names.serving_group}"
    path = f"{group}/providers/Microsoft.ContainerService/managedClusters/{names.cluster}"
    world.fake.resources[path.lower()] = {"name": names.cluster}


def test_nodes_that_are_there_already_need_no_quota_again(world: World) -> None:
    create_cluster(world)
    world.usages["standardDDSv5Family"] = (8, 24)  # 8 for more nodes and 6 for those of an upgrade
    assert named(examine(world.subject()), "quota").status is Status.OK
    world.usages["standardDDSv5Family"] = (8, 8)
    assert named(examine(world.subject()), "quota").status is Status.REMARK
