"""The fall-backs that a stack names: which of them would do, and why the others would not."""

from typing import Any

from personalize.checks.doctor import Status
from personalize.checks.subscription.preflight import examine
from tests.personalize.subscription.conftest import OFFERED, World
from tests.personalize.subscription.findings import faults, named
from tests.support.fake_manager import Call

TRAINING: dict[str, Any] = {"training_vm_fallbacks": ["Standard_E4ads_v5", "Standard_E8ds_v5"]}
GONE = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]


def test_a_stack_without_fall_backs_asks_for_none(world: World) -> None:
    assert not [found for found in examine(world.subject()) if "fall-backs" in found.name]


def test_the_first_that_would_do_is_named_with_its_setting(world: World) -> None:
    found = named(examine(world.subject(**TRAINING)), "training vm fall-backs")
    assert found.ok
    assert found.found == "`azure.training_vm_size: Standard_E4ads_v5` would do; Standard_E8ds_v5 too"


def test_a_restricted_one_and_one_without_quota_are_passed_over_with_the_reason(world: World) -> None:
    world.restrictions["Standard_E4ads_v5"] = GONE
    found = named(examine(world.subject(**TRAINING)), "training vm fall-backs")
    assert found.found.startswith("`azure.training_vm_size: Standard_E8ds_v5` would do; Standard_E4ads_v5: ")
    assert "not available to this subscription in westeurope" in found.found
    world.usages["standardEDSv5Family"] = (0, 7)
    none = named(examine(world.subject(**TRAINING)), "training vm fall-backs")
    assert none.status is Status.REMARK
    assert "8 vCPUs of standardEDSv5Family are needed, and 7 are free" in none.found
    assert "`azure.training_vm_fallbacks`" in none.fix


def test_the_quota_of_the_whole_region_counts_with_all_that_the_stack_needs(world: World) -> None:
    world.usages["cores"] = (0, 10)  # 6 for the nodes of both pools
    found = named(examine(world.subject(**TRAINING)), "training vm fall-backs")
    assert "Standard_E8ds_v5: 14 vCPUs of cores are needed, and 10 are free" in found.found


def test_a_fall_back_is_named_where_the_chosen_size_is_refused(world: World) -> None:
    world.restrictions["Standard_E4ds_v5"] = GONE
    findings = examine(world.subject(**TRAINING))
    assert set(faults(findings)) == {"VM sizes"}
    assert "`azure.training_vm_size: Standard_E4ads_v5` would do" in named(findings, "training vm fall-backs").found


def test_another_region_is_asked_for_every_size_of_the_stack(world: World) -> None:
    asked: list[str] = []

    def skus(call: Call) -> dict[str, Any]:
        location = call.query["$filter"].split("'")[1]
        asked.append(location)
        lacking = {"northeurope": "Standard_D2ds_v5"}.get(location)
        return {"value": [world.sku(name) for name in OFFERED if name != lacking]}

    world.fake.answer("/Microsoft.Compute/skus$", skus)
    found = named(examine(world.subject(location_fallbacks=["northeurope", "swedencentral"])), "location fall-backs")
    assert asked[-2:] == ["northeurope", "swedencentral"]
    assert found.found.startswith("`azure.location: swedencentral` would do; northeurope: Standard_D2ds_v5 (`azure.")
    assert "does not exist in northeurope" in found.found
