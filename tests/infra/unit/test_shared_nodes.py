"""Whether a service fits on its nodes: the cluster's own, or a pool."""

import pytest

from infra.settings import SettingsError, azure_settings, load_settings
from tests.infra.unit.test_settings import AZURE, given_values


def test_a_service_without_nodes_of_its_own_needs_no_minimum_of_them() -> None:
    shared = {"scoring_nodes_max": 0, "replicas_max": 4}
    assert azure_settings(load_settings(given_values(target="azure", azure=AZURE | shared))).shares_nodes
    with pytest.raises(SettingsError, match="scoring_nodes_min is 1 and scoring_nodes_max is 0"):
        load_settings(given_values(target="azure", azure=AZURE | shared | {"scoring_nodes_min": 1}))


@pytest.mark.parametrize(
    ("azure", "sentence"),
    [
        # A node of four cores has 2,590 millicores for the service: AKS keeps 140, its pods request 370 and 900.
        ({"replicas_max": 5}, r"have room for 5 pods of 0\.5 cores .* lower it to 4, or set"),
        ({"replicas_max": 4, "cpu_millicores": 600}, r"have room for 4 pods of 0\.6 cores .* lower it to 3, or set"),
        (
            {"replicas_max": 4, "system_vm_size": "Standard_D2ds_v5"},
            r"room for 1 pods .* adds one: set `scoring_nodes_max`",
        ),
        ({"replicas_max": 11, "system_nodes_max": 2}, "have room for 11 pods"),
    ],
)
def test_a_service_without_room_beside_the_cluster_s_own_pods_is_refused(
    azure: dict[str, object], sentence: str
) -> None:
    values = {"scoring_nodes_max": 0, "system_nodes_max": 1} | azure
    with pytest.raises(SettingsError, match=sentence):
        load_settings(given_values(target="azure", azure=AZURE | values))


@pytest.mark.parametrize(
    ("azure", "sentence"),
    [
        # A node of two cores has 1,530 millicores for the service: AKS keeps 100, and its pods request 370.
        (
            {"replicas_max": 3, "cpu_millicores": 600, "scoring_nodes_max": 1},
            r"1 scoring node\(s\) Standard_D2ds_v5 have room for 2 pods .* adds one: raise `scoring_nodes_max`\.$",
        ),
        ({"replicas_max": 6, "scoring_nodes_max": 2}, r"room for 6 pods of 0\.5 cores .*: lower it to 5, or raise"),
        ({"cpu_millicores": 1600}, r"A replica of 1\.6 cores does not fit on a Standard_D2ds_v5"),
    ],
)
def test_a_pool_without_room_for_a_rollout_is_refused(azure: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(given_values(target="azure", azure=AZURE | azure))


@pytest.mark.parametrize("azure", [{"replicas_max": 8}, {"replicas_max": 99, "scoring_vm_size": "Standard_M416ms_v2"}])
def test_a_pool_with_room_and_one_of_a_size_without_known_cores_pass(azure: dict[str, object]) -> None:
    assert azure_settings(load_settings(given_values(target="azure", azure=AZURE | azure)))
