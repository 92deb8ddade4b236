"""Preflight: VM sizes, their zones and disks, and the quota for the first nodes, for all of them and for an upgrade."""

from typing import Any

import pytest

from infra.cloud.names import Names
from personalize.checks.doctor import Status
from personalize.checks.subscription.preflight import examine
from tests.personalize.subscription.conftest import SUBSCRIPTION, World
from tests.personalize.subscription.findings import named


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


SHARED: dict[str, Any] = {"scoring_nodes_max": 0, "system_nodes_max": 1, "replicas_max": 4, "ephemeral_os_disks": True}
"""As in stack `dev`: one node of 4 vCPUs, and 4 more for training."""


@pytest.mark.parametrize(("free", "status"), [(7, Status.WRONG), (10, Status.REMARK), (12, Status.OK)])
def test_an_upgrade_during_a_training_run_needs_more_than_the_ten_vcpus_of_a_new_subscription(
    world: World, free: int, status: Status
) -> None:
    world.usages["cores"] = (0, free)
    found = named(examine(world.subject(**SHARED)), "quota")
    assert found.status is status
    if status is Status.REMARK:
        assert "an upgrade adds for a while (Sundays from 2:00 UTC) during a training run: 10 vCPUs" in found.found
        assert "cores 12 free" in found.fix


def test_a_size_whose_own_disk_is_too_small_for_the_system_is_found(world: World) -> None:
    assert named(examine(world.subject(**SHARED)), "VM sizes").status is Status.OK
    world.own_disks["Standard_D4ds_v5"] = 65_535
    found = named(examine(world.subject(**SHARED)), "VM sizes")
    assert (
        "Standard_D4ds_v5 (`azure.system_vm_size`) has no disk of 64 GiB for `azure.ephemeral_os_disks`" in found.found
    )
    assert named(examine(world.subject()), "VM sizes").status is Status.OK


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
