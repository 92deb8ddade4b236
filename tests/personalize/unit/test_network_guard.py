"""A stack's network cannot be changed after its creation."""

from typing import Any

import pytest

from personalize.stack.data_guard import (
    CLUSTER,
    DATABRICKS,
    NETWORK,
    NetworkWouldChangeError,
    refuse_to_change_network,
)
from tests.support.azure_stack import SUBSCRIPTION, azure_stack

HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub"
PRIVATE = {"network": "private", "peered_network": HUB, "registry_tier": "Premium"}
MADE_PUBLIC = [
    {"type": "pulumi:pulumi:Stack"},
    {"type": DATABRICKS, "inputs": {"workspaceName": "databricks-dev"}},
    {"type": CLUSTER, "inputs": {"resourceName": "aks-dev"}},
]
MADE_PRIVATE = [*MADE_PUBLIC, {"type": NETWORK, "inputs": {"addressSpace": {"addressPrefixes": ["10.100.0.0/16"]}}}]


@pytest.mark.parametrize(
    ("resources", "changes"),
    [
        (MADE_PUBLIC, {}),
        (MADE_PRIVATE, PRIVATE),
        (MADE_PRIVATE, PRIVATE | {"peered_network": HUB.replace("virtualNetworks/hub", "virtualNetworks/other")}),
        ([], PRIVATE),
        (MADE_PRIVATE[-1:], {}),  # an `up` that stopped before it put anything into the network
    ],
)
def test_a_stack_that_stays_in_its_network_passes(resources: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    refuse_to_change_network(resources, azure_stack(**changes))


@pytest.mark.parametrize(
    ("resources", "changes", "made", "wanted"),
    [
        (MADE_PUBLIC, PRIVATE, "public", "private"),
        (MADE_PRIVATE, {}, "private", "public"),
        (MADE_PRIVATE, PRIVATE | {"network_range": "10.101.0.0/16"}, "10.100.0.0/16", "10.101.0.0/16"),
    ],
)
def test_another_network_is_refused_with_what_would_go_and_what_would_stay(
    resources: list[dict[str, Any]], changes: dict[str, Any], made: str, wanted: str
) -> None:
    with pytest.raises(NetworkWouldChangeError) as refused:
        refuse_to_change_network(resources, azure_stack(**changes))
    said = str(refused.value)
    before, _, after = said.partition(". Nothing moves")[0].partition(", and the settings say")
    assert made in before
    assert wanted in after
    assert "the Databricks workspace databricks-dev with its jobs" in said
    assert "the cluster aks-dev" in said
    assert "Lake, models, images and vault would stay" in said
