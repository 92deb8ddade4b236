"""Checks for a private stack: whether this machine can reach it, and whether the peered network is suitable."""

from dataclasses import replace
from typing import Any

import pytest

from personalize.checks.machine import Finding, Status
from personalize.checks.network import check_network
from personalize.checks.preflight import examine
from tests.personalize.subscription.conftest import World
from tests.support.azure_stack import SUBSCRIPTION

HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub"
PRIVATE: dict[str, Any] = {"network": "private", "peered_network": HUB, "registry_tier": "Premium"}


def found(world: World, *told: str) -> dict[str, Finding]:
    """Findings about the network on a machine where every name resolves to `told`."""
    subject = replace(world.subject(**PRIVATE), addresses=lambda _: list(told))
    return {finding.name: finding for finding in check_network(subject)}


def there(world: World, *ranges: str) -> None:
    """Create the peered network with these address ranges."""
    world.fake.resources[HUB.lower()] = {"properties": {"addressSpace": {"addressPrefixes": list(ranges)}}}


def test_a_public_stack_is_not_asked(world: World) -> None:
    assert check_network(world.subject()) == []
    assert "peered network" not in {finding.name for finding in examine(world.subject())}


def test_a_network_that_is_not_there_is_to_be_made_first(world: World) -> None:
    (finding,) = found(world).values()
    assert (finding.status, finding.found) == (Status.WRONG, f"{HUB} is not there")


def test_a_network_with_the_same_addresses_is_refused(world: World) -> None:
    there(world, "10.50.0.0/16", "10.100.64.0/20")
    (finding,) = found(world).values()
    assert finding.status is Status.WRONG
    assert "10.100.64.0/20, which overlaps 10.100.0.0/16" in finding.found
    assert "azure.network_range" in finding.fix


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (("10.100.96.7",), Status.OK),
        (("20.61.99.192",), Status.WRONG),
        (("10.7.0.4",), Status.WRONG),
        ((), Status.WRONG),
    ],
)
def test_the_vault_s_name_tells_where_this_machine_is(world: World, told: tuple[str, ...], status: Status) -> None:
    there(world, "10.50.0.0/16")
    assert list(found(world)) == ["peered network"], "before the first `up` there is no name to ask for"
    subject = world.subject(**PRIVATE)
    world.fake.resources[subject.serving("Microsoft.KeyVault/vaults", subject.names.vault).lower()] = {}
    finding = found(world, *told)["this machine"]
    assert finding.status is status
    assert finding.ok or "it is outside" in finding.found
