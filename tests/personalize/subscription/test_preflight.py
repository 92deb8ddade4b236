"""Preflight: a complete subscription passes, and each missing requirement is found by itself, with a fix."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from azure_clients.credentials import DATABRICKS, IdentityError
from infra.cloud.names import Names
from personalize.checks.doctor import Status
from personalize.checks.subscription.preflight import examine
from personalize.checks.subscription.subject import Subject
from tests.personalize.subscription.conftest import SUBSCRIPTION, TENANT, World
from tests.personalize.subscription.findings import faults, named

CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
NOBODY = "00000000-0000-0000-0000-000000000000"


def test_a_subscription_that_has_everything_passes_and_nothing_is_changed(world: World) -> None:
    findings = examine(world.subject())
    assert [(found.name, found.status) for found in findings if found.status is not Status.OK] == []
    assert len(findings) == 12
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
    assert all(found.by_bootstrap and "personalize bootstrap --stack dev" in found.fix for found in left.values())
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
