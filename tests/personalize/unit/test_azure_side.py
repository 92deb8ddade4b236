"""Guards of a stack on Azure outside the engine: new names after a destroy, and no change that Azure can't make."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from features.errors import PersonalizationError
from infra.cloud.names import Names
from personalize.errors import StackPausedError
from personalize.stack.azure_side import AzureSide, following
from personalize.stack.guards import ACCOUNT, CLUSTER, DATABRICKS, NETWORK
from personalize.stack.session import StackSession
from personalize.stack.stack_files import StackFiles
from tests.support.azure_stack import REQUIRED, SUBSCRIPTION

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
        {
            "type": ACCOUNT,
            "inputs": {"accountName": name, "location": "westeurope", "resourceGroupName": names.training_group},
        }
        for name in (names.lake, names.workspace_storage)
    ]
    return {"resources": [{"type": "pulumi:pulumi:Stack"}, *accounts]}


@pytest.mark.parametrize("changes", [{"location": "northeurope"}, {"suffix": "b"}, {"subscription": OTHER}])
def test_storage_is_never_moved_because_that_would_delete_it(state: Path, changes: dict[str, str]) -> None:
    with pytest.raises(PersonalizationError, match=r"Azure cannot move data.*`destroy --keep-data`"):
        side(state, **changes).refuse_plan(snapshot())
    side(state, **changes).refuse_update({})
    side(state).refuse_update(snapshot())


def test_storage_in_a_group_that_the_settings_do_not_name_is_not_moved_either(state: Path) -> None:
    found = snapshot()
    found["resources"][1]["inputs"]["resourceGroupName"] = "rg-of-ours"
    with pytest.raises(PersonalizationError, match="Azure cannot move data"):
        side(state).refuse_plan(found)


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
    for refuse in (side(state).refuse_update, side(state).refuse_plan):
        with pytest.raises(StackPausedError, match="resume --stack dev` first") if refused else nullcontext():
            refuse(known)


def test_only_a_stack_that_has_a_cluster_is_asked_about(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personalize.stack.azure_side.resource_manager", lambda _: pytest.fail("asked"))
    side(state).refuse_plan(snapshot())
    side(state).refuse_plan({"resources": [{"type": CLUSTER, "id": ""}]})


HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub"
PRIVATE = {"network": "private", "peered_network": HUB, "registry_tier": "Premium"}
POOL = {"name": "system", "vmSize": "Standard_D4ds_v5", "osDiskType": "Managed", "availabilityZones": ["1", "2"]}
SHOWN_POOL = {"name": "scoring1", "vmSize": "Standard_D2ds_v5", "osDiskType": "Managed"}
"""A refresh puts it beside the system pool in the cluster."""
IN_CLUSTER = {"type": CLUSTER, "inputs": {"agentPoolProfiles": [POOL, SHOWN_POOL]}}
MADE_PUBLIC = [{"type": "pulumi:pulumi:Stack"}, {"type": DATABRICKS, "inputs": {}}, IN_CLUSTER]
IN_NETWORK = {"type": NETWORK, "inputs": {"addressSpace": {"addressPrefixes": ["10.100.0.0/16"]}}}
MADE_PRIVATE = [*MADE_PUBLIC, IN_NETWORK]


@pytest.mark.parametrize(
    ("resources", "changes"),
    [
        (MADE_PUBLIC, {}),
        (MADE_PUBLIC, {"scoring_vm_size": "Standard_D8ds_v5"}),
        (MADE_PUBLIC, {"system_nodes_max": 5}),
        (MADE_PUBLIC, {"scoring_nodes_max": 0}),
        ([IN_CLUSTER | {"initErrors": ["AllocationFailed"]}], {"system_vm_size": "Standard_D8ds_v5"}),
        (MADE_PRIVATE, PRIVATE),
        (MADE_PRIVATE, PRIVATE | {"peered_network": HUB.replace("virtualNetworks/hub", "virtualNetworks/other")}),
        ([], PRIVATE),
        ([IN_NETWORK], {}),  # an `up` that stopped before it put anything into the network
    ],
)
def test_what_azure_can_change_passes(state: Path, resources: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    side(state, zones=["2", "1"], **changes).refuse_update({"resources": resources})


@pytest.mark.parametrize(
    ("resources", "changes", "settings", "goes"),
    [
        (MADE_PUBLIC, PRIVATE, ("network: public`", "network: private`"), "the Databricks workspace with its jobs"),
        (MADE_PRIVATE, {}, ("network: private`", "network: public`"), "Lake, models, images and vault would stay"),
        (MADE_PRIVATE, PRIVATE | {"network_range": "10.101.0.0/16"}, ("10.100.0.0/16`", "10.101.0.0/16`"), "recreated"),
        (MADE_PUBLIC, {"system_vm_size": "Standard_D8ds_v5"}, ("D4ds_v5`", "D8ds_v5`"), "first node"),
        (MADE_PUBLIC, {"zones": ["1"]}, ("zones: ['1', '2']`", "zones: ['1']`"), "first node pool"),
    ],
)
def test_what_azure_cannot_change_is_refused_with_both_settings_and_the_way_out(
    state: Path, resources: list[dict[str, Any]], changes: dict[str, Any], settings: tuple[str, str], goes: str
) -> None:
    with pytest.raises(PersonalizationError) as refused:
        side(state, **{"zones": ["2", "1"]} | changes).refuse_update({"resources": resources})
    said = str(refused.value)
    made, _, wanted = said.partition(". ")[0].partition(", and the settings say")
    assert (settings[0] in made, settings[1] in wanted) == (True, True), said
    assert goes in said
    assert "Restore the setting." in said


def test_a_plan_that_aks_would_refuse_is_refused_too(state: Path) -> None:
    with pytest.raises(PersonalizationError, match="first node pool"):
        side(state, system_vm_size="Standard_D8ds_v5").refuse_plan({"resources": MADE_PUBLIC})
