"""A cluster's first node pool cannot be changed after its creation."""

from typing import Any

import pytest

from infra.azure_settings import AzureSettings
from personalize.stack.data_guard import CLUSTER
from personalize.stack.pool_guard import SystemNodesWouldChangeError, refuse_to_change_system_nodes
from tests.support.azure_stack import azure_stack

POOL = {"name": "system", "vmSize": "Standard_D4ds_v5", "osDiskType": "Managed", "availabilityZones": ["1", "2"]}
SHOWN = {"name": "scoring1", "vmSize": "Standard_D2ds_v5", "osDiskType": "Managed"}


def made(**changes: object) -> list[dict[str, Any]]:
    """A state with a cluster, which after a refresh shows the scoring pool too."""
    pools = [POOL | changes, SHOWN]
    return [{"type": "pulumi:pulumi:Stack"}, {"type": CLUSTER, "inputs": {"agentPoolProfiles": pools}}]


def settings(**changes: object) -> AzureSettings:
    """Settings of the stack whose cluster is `made`."""
    return azure_stack(**{"zones": ["2", "1"]} | changes)


@pytest.mark.parametrize(
    "changes",
    [{}, {"scoring_vm_size": "Standard_D8ds_v5"}, {"system_nodes_max": 5}, {"scoring_nodes_max": 0}],
    ids=str,
)
def test_what_aks_can_change_passes(changes: dict[str, object]) -> None:
    refuse_to_change_system_nodes(made(), settings(**changes))
    refuse_to_change_system_nodes([{"type": "pulumi:pulumi:Stack"}], settings(**changes))


def test_a_cluster_whose_creation_failed_may_get_other_nodes() -> None:
    (stack, cluster) = made()
    failed = cluster | {"initErrors": ["AllocationFailed"]}
    refuse_to_change_system_nodes([stack, failed], settings(system_vm_size="Standard_D8ds_v5"))


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        (
            {"system_vm_size": "Standard_D8ds_v5"},
            "`azure.system_vm_size: Standard_D4ds_v5`",
            "`azure.system_vm_size: Standard_D8ds_v5`",
        ),
        ({"ephemeral_os_disks": True}, "`azure.ephemeral_os_disks: false`", "`azure.ephemeral_os_disks: true`"),
        ({"zones": ["1"]}, "`azure.zones: ['1', '2']`", "`azure.zones: ['1']`"),
    ],
)
def test_another_first_pool_is_refused_with_what_to_do(changes: dict[str, object], before: str, after: str) -> None:
    with pytest.raises(SystemNodesWouldChangeError) as refused:
        refuse_to_change_system_nodes(made(), settings(**changes))
    said = str(refused.value)
    assert f"was created with {before}, and the settings say {after}." in said
    assert "Restore the setting." in said
