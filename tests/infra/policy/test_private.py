"""A private stack passes every policy. Changes that would make it public are rejected; public stacks are unaffected."""

from typing import Any

import pytest

pytest.importorskip("pulumi_policy", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from infra.policy.pack import RULES
from infra.policy.private import ADDRESS, GATEWAY, SERVICE, public_entrances
from tests.infra.graph.cloud_recorder import run_cloud
from tests.infra.wiring.page import PRIVATE
from tests.infra.wiring.recording import committed

Resources = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def stack() -> Resources:
    """Types and properties of everything that stack `dev` declares with a private network."""
    settings = committed("dev", **PRIVATE)
    return [(one.typ, one.inputs) for one in run_cloud(lambda: deploy(settings, "dev"), "dev")[0].resources]


def said(resources: Resources) -> list[str]:
    """Violations of the rules for Azure resources: those of each resource, then those of the whole stack."""
    rules = [rule for rule in RULES if any(kind.startswith("azure-native:") for kind in rule.types)]
    each = [
        text
        for kind, properties in resources
        for rule in rules
        if kind in rule.types
        for text in rule.check(properties, "dev")
    ]
    return [*each, *public_entrances(resources)]


def test_a_private_stack_passes(stack: Resources) -> None:
    assert said(stack) == []


def test_each_service_that_opens_is_stopped(stack: Resources) -> None:
    opened = 0
    for place, (kind, properties) in enumerate(stack):
        inner = properties["properties"] if kind.endswith(":Vault") else properties
        if "publicNetworkAccess" not in inner:
            continue
        opened += 1
        wider = {**inner, "publicNetworkAccess": "Enabled"}
        wider |= {"networkRuleSet": {**inner["networkRuleSet"], "ipRules": [{}]}} if "networkRuleSet" in inner else {}
        changed = {**properties, "properties": wider} if kind.endswith(":Vault") else wider
        assert said([*stack[:place], (kind, changed), *stack[place + 1 :]]), kind
    assert opened == 6, "two storage accounts, vault, registry, Azure ML and Databricks"


def test_a_public_load_balancer_or_another_public_address_is_stopped(stack: Resources) -> None:
    assert any(kind == GATEWAY for kind, _ in stack)
    public = {"metadata": {"name": "scoring", "annotations": {}}, "spec": {"type": "LoadBalancer"}}
    assert list(public_entrances([*stack, (SERVICE, public)])) != []
    assert list(public_entrances([*stack, (ADDRESS, {})])) != []
    assert list(public_entrances([(SERVICE, public), (ADDRESS, {})])) == [], "a public stack"


@pytest.mark.parametrize(
    "wider",
    [
        {"defaultAction": "Allow"},
        {"bypass": "AzureServices"},
        {"ipRules": [{"iPAddressOrRange": "203.0.113.7"}]},
        {"virtualNetworkRules": [{"virtualNetworkResourceId": "hub"}]},
        {"resourceAccessRules": []},
        {"resourceAccessRules": [{"resourceId": "/subscriptions/s/providers/Microsoft.Synapse/workspaces/other"}]},
    ],
)
def test_a_lake_that_admits_more_than_its_connector_is_stopped(stack: Resources, wider: dict[str, Any]) -> None:
    (place,) = [at for at, (_, one) in enumerate(stack) if one.get("publicNetworkAccess") == "Enabled"]
    kind, lake = stack[place]
    changed = {**lake, "networkRuleSet": {**lake["networkRuleSet"], **wider}}
    assert said([*stack[:place], (kind, changed), *stack[place + 1 :]])
