"""Guards of a stack on Azure outside the engine: new names after a destroy, and no change that Azure can't make."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from infra.azure_settings import AzureSettings
from infra.cloud.names import Names
from personalize.errors import StackPausedError
from personalize.stack.azure_side import AzureSide, following
from personalize.stack.guards import (
    ACCOUNT,
    CLUSTER,
    DATABRICKS,
    NETWORK,
    DataWouldBeReplacedError,
    NamesTakenError,
    NetworkWouldChangeError,
    SystemNodesWouldChangeError,
    refuse_to_change_network,
    refuse_to_change_system_nodes,
)
from personalize.stack.session import StackSession
from personalize.stack.stack_files import StackFiles
from tests.support.azure_stack import REQUIRED, SUBSCRIPTION, azure_stack

OTHER = "22222222-2222-4222-8222-222222222222"
AZURE = {**REQUIRED, "location": "westeurope", "suffix": "a"}


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A temporary folder, with the state of stacks in it."""
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    return tmp_path


def side(folder: Path, **changes: Any) -> AzureSide:
    """A stack on Azure with these changes to its settings."""
    file = folder / "Pulumi.dev.yaml"
    config = {"personalization:target": "azure", "personalization:azure": AZURE | changes}
    file.write_text("# Yours.\n" + yaml.safe_dump({"config": config}), encoding="utf-8")
    return AzureSide(StackFiles("dev", file))


def snapshot() -> dict[str, Any]:
    """The state of the stack, deployed with these settings."""
    names = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
    accounts = [
        {"type": ACCOUNT, "inputs": {"accountName": name, "location": "westeurope"}}
        for name in (names.lake, names.workspace_storage)
    ]
    return {"resources": [{"type": "pulumi:pulumi:Stack"}, *accounts]}


@pytest.mark.parametrize(
    "changes", [{"location": "northeurope", "suffix": "b"}, {"suffix": "b"}, {"subscription": OTHER}]
)
def test_settings_that_would_make_the_storage_anew_are_refused_unless_that_is_asked_for(
    state: Path, changes: dict[str, str]
) -> None:
    moved = side(state, **changes)
    with pytest.raises(DataWouldBeReplacedError, match="--replace-data"):
        moved.refuse_to_replace_data(snapshot())
    assert moved.begins_anew(snapshot())


def test_a_stack_that_stays_passes_and_one_that_was_never_up_may_go_anywhere(state: Path) -> None:
    stays = side(state)
    stays.refuse_to_replace_data(snapshot())
    assert not stays.begins_anew(snapshot())
    side(state, location="northeurope").refuse_to_replace_data({})


def test_another_region_with_the_same_names_is_refused_before_anything_is_deleted(state: Path) -> None:
    moved = side(state, location="northeurope")
    with pytest.raises(DataWouldBeReplacedError, match="--replace-data"):
        moved.refuse_to_replace_data(snapshot())
    with pytest.raises(NamesTakenError, match=r"Set `azure.suffix` to another value than a\. Nothing was deleted"):
        moved.begins_anew(snapshot())


def test_other_nodes_for_the_system_are_refused_by_the_settings_of_the_stack_file(state: Path) -> None:
    pool = {"name": "system", "vmSize": "Standard_D4ds_v5", "osDiskType": "Managed"}
    made = {"resources": [{"type": CLUSTER, "inputs": {"agentPoolProfiles": [pool]}}]}
    side(state).refuse_to_change_system_nodes(made)
    with pytest.raises(SystemNodesWouldChangeError):
        side(state, system_vm_size="Standard_D8ds_v5").refuse_to_change_system_nodes(made)


def test_the_suffix_is_another_one_after_a_destroy_and_the_rest_of_the_file_stays(state: Path) -> None:
    stack = side(state)
    said = stack.renew_suffix()
    text = stack.files.source.read_text(encoding="utf-8")
    assert "is now b" in str(said)
    assert text.startswith("# Yours.\n")
    assert yaml.safe_load(text)["config"]["personalization:azure"] == AZURE | {"suffix": "b"}


@pytest.mark.parametrize(("before", "after"), [("a", "b"), ("y", "z"), ("z", "za"), ("x9", "x9a"), ("az", "aza")])
def test_suffixes_follow_one_another(before: str, after: str) -> None:
    assert following(before) == after


@pytest.mark.parametrize(("workflow", "kind"), [(False, "azure-cli"), (True, "github-oidc-azure")])
def test_databricks_provider_signs_in_as_everything_else_whatever_is_set(
    state: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, workflow: bool
) -> None:
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "other")
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL", raising=False)
    if workflow:
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.actions.example")
        monkeypatch.setenv("ARM_CLIENT_ID", OTHER)
    monkeypatch.setattr(StackSession, "_state", SimpleNamespace(environment=dict))
    given = StackSession("dev", settings_file=side(state).files.source).environment()
    # The names and the kinds are those of the provider's documentation, "Authentication".
    assert given["DATABRICKS_AUTH_TYPE"] == kind
    assert (given["DATABRICKS_CONFIG_FILE"], given["DATABRICKS_CONFIG_PROFILE"]) == ("/dev/null", "")


@pytest.mark.parametrize(
    ("power", "refused"), [({"code": "Stopped"}, True), ({"code": "Running"}, False), (None, False), ("gone", False)]
)
def test_a_paused_stack_is_resumed_first(
    state: Path, monkeypatch: pytest.MonkeyPatch, power: object, *, refused: bool
) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-scoring/providers/{CLUSTER}/aks"
    found = None if power == "gone" else {"properties": {"powerState": power}}
    manager = SimpleNamespace(get=lambda asked, _: found if asked == path else pytest.fail(asked))
    monkeypatch.setattr("personalize.stack.azure_side.resource_manager", lambda _: manager)
    known = {"resources": [{"type": "pulumi:pulumi:Stack"}, {"type": CLUSTER, "id": path}]}
    with (
        pytest.raises(StackPausedError, match=r"`\.venv/bin/personalize resume --stack dev` first")
        if refused
        else (nullcontext())
    ):
        side(state).require_running(known)


def test_only_a_stack_that_has_a_cluster_is_asked_about(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personalize.stack.azure_side.resource_manager", lambda _: pytest.fail("asked"))
    side(state).require_running(snapshot())
    side(state).require_running({"resources": [{"type": CLUSTER, "id": ""}]})


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


POOL = {"name": "system", "vmSize": "Standard_D4ds_v5", "osDiskType": "Managed", "availabilityZones": ["1", "2"]}
SHOWN_POOL = {"name": "scoring1", "vmSize": "Standard_D2ds_v5", "osDiskType": "Managed"}


def with_pool(**changes: object) -> list[dict[str, Any]]:
    """A state with a cluster, which after a refresh shows the scoring pool too."""
    pools = [POOL | changes, SHOWN_POOL]
    return [{"type": "pulumi:pulumi:Stack"}, {"type": CLUSTER, "inputs": {"agentPoolProfiles": pools}}]


def of_pool(**changes: object) -> AzureSettings:
    """Settings of the stack whose cluster is `with_pool`."""
    return azure_stack(**{"zones": ["2", "1"]} | changes)


@pytest.mark.parametrize(
    "changes",
    [{}, {"scoring_vm_size": "Standard_D8ds_v5"}, {"system_nodes_max": 5}, {"scoring_nodes_max": 0}],
    ids=str,
)
def test_what_aks_can_change_passes(changes: dict[str, object]) -> None:
    refuse_to_change_system_nodes(with_pool(), of_pool(**changes))
    refuse_to_change_system_nodes([{"type": "pulumi:pulumi:Stack"}], of_pool(**changes))


def test_a_cluster_whose_creation_failed_may_get_other_nodes() -> None:
    (stack, cluster) = with_pool()
    failed = cluster | {"initErrors": ["AllocationFailed"]}
    refuse_to_change_system_nodes([stack, failed], of_pool(system_vm_size="Standard_D8ds_v5"))


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
        refuse_to_change_system_nodes(with_pool(), of_pool(**changes))
    said = str(refused.value)
    assert f"was created with {before}, and the settings say {after}." in said
    assert "Restore the setting." in said
