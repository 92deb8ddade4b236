"""Preflight on the simulated Resource Manager: it answers every request, and preflight finds what it lacks."""

from typing import Any

import pytest

from infra.azure_settings import AzureSettings
from personalize.checks.doctor import Finding
from personalize.checks.subscription.preflight import examine
from personalize.checks.subscription.subject import subject_of
from tests.simulation.world import DEFAULTS
from tests.steps.provider.azure.conftest import SUBSCRIPTION, TENANT, Cloud


def findings(**settings: Any) -> dict[str, Finding]:
    required = {"subscription": SUBSCRIPTION, "tenant": TENANT, "deployers": DEFAULTS["deployers"]}
    wanted = AzureSettings.model_validate(
        required
        | {"alert_mail": "operators@example.com", "authorized_ip_ranges": "anywhere", "allowed_sources": "anywhere"}
        | settings
    )
    return {found.name: found for found in examine(subject_of("dev", wanted))}


def test_the_simulated_subscription_passes(cloud: Cloud) -> None:
    assert cloud.world.setting("tasks_allowed")
    assert {name: found.found for name, found in findings().items() if not found.ok} == {}


@pytest.mark.full
@pytest.mark.parametrize(
    ("setting", "value", "finding"),
    [
        ("restricted_sizes", ["Standard_E4ds_v5"], "VM sizes"),
        ("vcpu_quota", {"standardEDSv5Family": 3}, "quota"),
        ("deployer_roles", ["b24988ac-6180-42a0-ab88-20f7382dd24c"], "roles"),
        ("registered_providers", ["Microsoft.Storage"], "resource providers"),
    ],
)
def test_what_its_record_lacks_is_found(cloud: Cloud, setting: str, value: object, finding: str) -> None:
    before = cloud.world.setting(setting)
    cloud.world.set(setting, value)
    try:
        assert [name for name, found in findings().items() if not found.ok] == [finding]
    finally:
        cloud.world.set(setting, before)


def test_a_sign_in_that_is_no_deployer_s_is_found(cloud: Cloud) -> None:
    cloud.sign_in(DEFAULTS["deployers"][1]["object_id"])
    only = [DEFAULTS["deployers"][0]]
    assert not findings(deployers=only)["deployer"].ok
