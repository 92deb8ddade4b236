"""Preflight: a complete subscription passes, and each missing requirement is found by itself, with a fix."""

from collections.abc import Callable
from typing import Any

import pytest

from azure_clients.credentials import IdentityError
from infra.cloud.names import Names
from personalize.checks.machine import Finding, Status
from personalize.checks.preflight import examine
from tests.personalize.subscription.conftest import CALLER, GROUP, TENANT, World
from tests.support.azure_stack import SUBSCRIPTION


def faults(findings: list[Finding]) -> dict[str, Finding]:
    return {found.name: found for found in findings if not found.ok}


def named(findings: list[Finding], name: str) -> Finding:
    [found] = [found for found in findings if found.name == name]
    return found


NOBODY = "00000000-0000-0000-0000-000000000000"


def test_a_subscription_that_has_everything_passes_and_nothing_is_changed(world: World) -> None:
    findings = examine(world.subject())
    assert [(found.name, found.status) for found in findings if found.status is not Status.OK] == []
    assert [found.name for found in findings] == [
        "subscription",
        "identity",
        "deployer",
        "deployers in Databricks",
        "state",
        "VM sizes",
        "quota",
        "Kubernetes",
    ]
    assert list(world.fake.changes()) == []


SPOILED: dict[str, tuple[Callable[[World], object], str]] = {
    "state": (lambda world: world.fake.resources.clear(), ".venv/bin/personalize bootstrap --stack dev"),
    "VM sizes": (
        lambda world: world.restrictions.update({"Standard_E4ds_v5": [{"type": "Location"}]}),
        "swedencentral has Standard_D4ds_v5",
    ),
    "quota": (lambda world: world.usages.update({"standardEDSv5Family": (98, 100)}), "standardEDSv5Family 4 free"),
    "Kubernetes": (
        lambda world: world.fake.answer("/kubernetesVersions$", {"values": [{"version": "1.36"}]}),
        "azure.kubernetes_version",
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


NAMED = {"object_id": CALLER, "type": "User", "databricks_name": "me@example.com"}
NAMELESS = {"object_id": GROUP, "type": "Group"}
NAMED_GROUP = NAMELESS | {"databricks_name": "deployers"}


@pytest.mark.parametrize("deployers", [[NAMELESS], [NAMED, NAMELESS], [NAMED, NAMELESS | {"type": "User"}]])
def test_deployers_whom_nobody_could_add_to_databricks_are_refused(
    world: World, deployers: list[dict[str, str]]
) -> None:
    found = named(examine(world.subject(deployers=deployers)), "deployers in Databricks")
    assert (found.ok, found.found) == (False, f"{GROUP} without `databricks_name`")
    assert named(examine(world.subject(deployers=[NAMED, NAMED_GROUP])), "deployers in Databricks").ok


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


def test_what_a_new_subscription_lacks_is_what_the_bootstrap_mends(world: World) -> None:
    for asked in ("/kubernetesVersions$", "/usages$", "/Microsoft.Compute/skus$"):
        world.fake.answer(asked, (409, UNREGISTERED))
    world.fake.resources.clear()
    left = faults(examine(world.subject()))
    assert set(left) == {"state", "VM sizes", "Kubernetes"}
    assert all("personalize bootstrap --stack dev" in found.fix for found in left.values())


def test_a_list_without_any_version_keeps_nobody_from_the_first_update(world: World) -> None:
    world.fake.answer("/kubernetesVersions$", {"values": []})
    assert "Kubernetes" not in faults(examine(world.subject()))


def test_a_refused_question_is_a_finding_of_its_own(world: World) -> None:
    world.fake.refused["/usages$"] = (403, "AuthorizationFailed")
    found = faults(examine(world.subject()))
    assert list(found) == ["VM sizes"]
    assert "AuthorizationFailed" in found["VM sizes"].found


def test_a_variable_that_gives_a_client_another_identity_is_named(world: World) -> None:
    others = {"ARM_CLIENT_SECRET": "secret", "ARM_USE_MSI": "true", "DATABRICKS_TOKEN": "overridden"}
    found = faults(examine(world.subject(environment=others)))
    assert found["identity"].fix == "unset ARM_CLIENT_SECRET ARM_USE_MSI"
    assert "secret" not in found["identity"].found


def test_a_deployer_by_a_group_passes(world: World) -> None:
    world.fake.answer("/checkMemberObjects$", {"value": [GROUP]})
    findings = examine(world.subject(deployers=[NAMED_GROUP]))
    assert faults(findings) == {}
    [asked] = [call for call in world.fake.calls if call.path.endswith("/checkMemberObjects")]
    assert (asked.path, asked.body) == (f"/v1.0/directoryObjects/{CALLER}/checkMemberObjects", {"ids": [GROUP]})


def test_a_directory_that_does_not_answer_stops_nothing(world: World) -> None:
    world.fake.refused["checkMemberObjects"] = (403, "Authorization_RequestDenied")
    found = named(examine(world.subject(deployers=[{"object_id": GROUP, "type": "Group"}])), "deployer")
    assert found.status is Status.REMARK
    assert "Authorization_RequestDenied" in found.found


def test_a_zone_that_is_restricted_for_the_subscription_does_not_count(world: World) -> None:
    world.restrictions["Standard_D2ds_v5"] = [{"type": "Zone", "restrictionInfo": {"zones": ["2"]}}]
    assert "not offered in zone 2" in named(examine(world.subject(zones=["1", "2"])), "VM sizes").found


GONE = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]


def test_a_size_that_is_gone_is_told_with_sizes_and_regions_to_try(world: World) -> None:
    world.restrictions["Standard_E4ds_v5"] = GONE
    world.usages["standardEADSv5Family"] = (0, 3)
    found = named(examine(world.subject()), "VM sizes")
    assert found.status is Status.WRONG
    assert "Standard_E4ds_v5 (`azure.training_vm_size`) is not available to this subscription in sw" in found.found
    assert found.fix.startswith("choose another VM size (swedencentral has Standard_D4ds_v5, Standard_E8ds_v5), or ")
    assert found.fix.endswith("another `azure.location`, such as northeurope or westeurope")


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


def test_nodes_that_are_there_already_need_no_quota_again(world: World) -> None:
    names = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{names.serving_group}"
    path = f"{group}/providers/Microsoft.ContainerService/managedClusters/{names.cluster}"
    world.fake.resources[path.lower()] = {"name": names.cluster}
    world.usages["standardDDSv5Family"] = (8, 24)  # 8 for more nodes and 6 for those of an upgrade
    assert named(examine(world.subject()), "quota").status is Status.OK
    world.usages["standardDDSv5Family"] = (8, 8)
    assert named(examine(world.subject()), "quota").status is Status.REMARK
