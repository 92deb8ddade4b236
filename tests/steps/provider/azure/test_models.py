"""The steps that keep models in Azure ML: versions, gate, champion, purge; and commands about models."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from azure_clients.model_registry import AzureRegistry, versions_of
from azure_clients.model_versions import GateFailedError, NoSuchVersionError, Version
from azure_clients.resources import Lake, MachineLearning
from azure_clients.retries import AzureRefusedError
from features.bundle import METADATA, REPORT, checked_hash, seal
from features.errors import BadInputError
from personalize.commands.models import export, model_rows, require_version, restore
from personalize.errors import StackMissingError
from personalize.stack import azure_models
from personalize.stack.azure_models import AzureVersions
from steps.champion import ChampionOnAzure
from steps.model_registry import RegistryOnAzure
from steps.model_version import ModelVersionOnAzure
from steps.registry_here import LocalRegistry
from tests.simulation.faults import FaultKind
from tests.simulation.world import DEFAULTS
from tests.steps.provider.azure.conftest import (
    BLOB,
    MACHINE_LEARNING,
    TENANT,
    WORKSPACE,
    Cloud,
    container,
    upload,
)
from tests.steps.provider.azure.examples import GROUP
from tests.steps.provider.azure.examples import SUBSCRIPTION as SUBSCRIPTION_ID
from tests.steps.provider.steps import STACK, Recorder, Take
from tests.support.azure_stack import azure_stack
from tests.support.bundles import MakeBundle
from training.evaluation.metrics import evaluate
from training.parameters import TrainingParameters

CALLS_OF_A_MOVE = 6
"""Four lists, the new mark, and the old one's removal."""
LAKE = "abfss://models@lakeabc.dfs.core.windows.net"
REJECTED = {"accepted": False, "reasons": ["The AUC 0.51 is below 0.6."]}
SETTINGS = azure_stack(deployers=DEFAULTS["deployers"])


class ExampleNames:
    """The names of the simulated Azure's example resources; a real stack's names contain a token."""

    training_group = GROUP
    machine_learning = WORKSPACE["workspace"]
    lake = "lakeabc"
    databricks = "training"

    def __init__(self, *_: object) -> None:
        """Ignore the arguments: the names are the same for every stack."""


def candidate(bundle: Path, requested: str = "latest") -> dict[str, Any]:
    """Inputs of a model version whose bundle is where training leaves it: in the lake, and on no other machine."""
    path = f"files/runs/{checked_hash(bundle)[:16]}/bundle"
    upload(bundle, "models", path)
    return {
        **MACHINE_LEARNING,
        "registry": "ctr",
        "blob_endpoint": BLOB,
        "bundle_hash": checked_hash(bundle),
        "bundle_url": f"{LAKE}/{path}",
        "data_url": "abfss://raw@lakeabc.dfs.core.windows.net/1",
        "run_url": "https://adb-1.azuredatabricks.net/#job/1/run/2",
        "requested": requested,
    }


def served(number: int, refusal: str = "") -> dict[str, Any]:
    return {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": number, "refusal": refusal}


def with_metadata(bundle: Path, copy: Path, **changes: Any) -> Path:
    """A copy of `bundle` with other metadata."""
    shutil.copytree(bundle, copy)
    (copy / METADATA).write_text(json.dumps(json.loads((bundle / METADATA).read_bytes()) | changes))
    seal(copy)
    return copy


def measured(bundle: Path, tmp_path: Path) -> Path:
    """The bundle with as many metrics and parameters as training writes."""
    figures = evaluate(np.arange(2_013) < 450, np.full(2_013, 0.22)).scalars()
    metrics = figures | {"champion": figures, "best_kept": figures, "slices": [], "keys": []}
    parameters = TrainingParameters().model_dump(mode="json")
    return with_metadata(bundle, tmp_path / "measured", metrics=metrics, hyperparameters=parameters)


def registry(recorder: Recorder) -> AzureRegistry:
    return AzureRegistry(MachineLearning(**WORKSPACE), recorder.context)


def versions(recorder: Recorder) -> list[Version]:
    """All versions with what the lake knows of them."""
    return versions_of(registry(recorder).list(), Lake(tenant=TENANT, blob_endpoint=BLOB), recorder.context)


def tags(cloud: Cloud) -> dict[str, str]:
    """Those of the only version."""
    [shown] = cloud.world.setting("ml_assets").values()
    found: dict[str, str] = shown["properties"]["tags"]
    return found


def test_a_candidate_is_registered_once_with_its_lineage(
    cloud: Cloud, tmp_path: Path, take: Take, bundle_of: MakeBundle
) -> None:
    cloud.arm.faults.order("^http management PUT .*/models/", kind=FaultKind.UNAVAILABLE)
    cloud.arm.faults.order("^http management GET .*/models/", kind=FaultKind.THROTTLED)
    created = take(ModelVersionOnAzure, candidate(bundle_of(1)))
    assert take(ModelVersionOnAzure, candidate(bundle_of(1))).id == created.id == "1"
    assert created.outputs.served_hash == checked_hash(bundle_of(1))
    assert (tmp_path / STACK / created.outputs.report).is_file()
    example = json.loads((tmp_path / STACK / "example.json").read_text())
    assert example == json.loads((bundle_of(1) / "golden.jsonl").read_text().splitlines()[0])["record"]
    assert tags(cloud)["data"] == "abfss://raw@lakeabc.dfs.core.windows.net/1"
    assert tags(cloud)["run"].startswith("https://adb-1")


def test_what_tags_must_leave_out_is_read_from_the_bundles_in_the_lake(
    cloud: Cloud, tmp_path: Path, take: Take, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    whole = measured(bundle_of(1), tmp_path)
    take(ModelVersionOnAzure, candidate(whole))
    assert tags(cloud)["metric.auc"] == "0.5"
    assert max(map(len, tags(cloud).values())) <= 256
    lost = candidate(bundle_of(2))
    take(ModelVersionOnAzure, lost)
    container("models").delete_blob(f"{lost['bundle_url'].split('/', 3)[3]}/{METADATA}")
    first, second = versions(recorder)
    stored = json.loads((whole / METADATA).read_bytes())
    assert first.hyperparameters == stored["hyperparameters"]
    assert first.metrics == {name: value for name, value in stored["metrics"].items() if name not in {"slices", "keys"}}
    assert (first.accepted, second.accepted, second.metrics) == (True, False, {})
    assert second.reasons == (f"Its bundle is no longer at {lost['bundle_url']}.",)


@pytest.mark.usefixtures("cloud")
def test_an_older_version_is_found_and_its_bundle_brought(tmp_path: Path, take: Take, bundle_of: MakeBundle) -> None:
    take(ModelVersionOnAzure, candidate(bundle_of(1)))
    elsewhere = tmp_path / "elsewhere"
    created = take.at(elsewhere)(ModelVersionOnAzure, candidate(bundle_of(2), requested="1"))
    assert created.outputs.served_hash == checked_hash(bundle_of(1))
    assert checked_hash((elsewhere / STACK / created.outputs.report).parent) == checked_hash(bundle_of(1))
    with pytest.raises(NoSuchVersionError, match="registered are: 1"):
        take(ModelVersionOnAzure, candidate(bundle_of(2), requested="9"))


@pytest.mark.usefixtures("cloud")
def test_instead_of_a_rejected_candidate_the_newest_version_serves_that_the_stack_has_trained(
    tmp_path: Path, take: Take, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    rejected = with_metadata(bundle_of(3), tmp_path / "rejected", verdict=REJECTED)
    with pytest.raises(GateFailedError, match=r"rejected model version 1: The AUC 0\.51 is below 0\.6\."):
        take(ModelVersionOnAzure, candidate(rejected))
    assert [version.accepted for version in versions(recorder)] == [False]
    take(ModelVersionOnAzure, candidate(bundle_of(1)))
    imported = candidate(bundle_of(2))
    registry(recorder).register(bundle_of(2), imported["bundle_url"], {"run": "imported"})
    found = take(ModelVersionOnAzure, candidate(rejected)).outputs
    assert (found.version, found.served_hash) == (2, checked_hash(bundle_of(1)))
    assert found.refusal.startswith("The gate rejected model version 1: The AUC 0.51 is below 0.6. Version 2 serves.")
    for _ in range(2):
        with pytest.raises(GateFailedError, match="rejected model version 1"):
            take(ChampionOnAzure, served(2, found.refusal))
        assert [entry.number for entry in registry(recorder).list() if entry.champion] == [2]
    registry(recorder).register(bundle_of(2), imported["bundle_url"], {"run": "https://adb-1"})
    again = take(ModelVersionOnAzure, candidate(rejected)).outputs
    assert again.version == 3, "which it has trained, too"


@pytest.mark.parametrize("move", [(1, 2), (2, 1)])
def test_there_is_a_champion_whichever_call_interrupts_its_move(
    cloud: Cloud, take: Take, bundle_of: MakeBundle, move: tuple[int, int]
) -> None:
    for seed in (1, 2):
        take(ModelVersionOnAzure, candidate(bundle_of(seed)))
    old, new = (served(number) for number in move)
    for nth in range(1, CALLS_OF_A_MOVE + 1):
        before = take(ChampionOnAzure, old)
        cloud.arm.faults.order("^http management", nth=nth, kind=FaultKind.REFUSED)
        with pytest.raises(AzureRefusedError):
            take(ChampionOnAzure, new)
        champion = registry(take.recorder).champion()
        assert champion is not None, f"none after {nth - 1} calls"
        assert champion.number in move
        take(ChampionOnAzure, new)
    assert [entry.number for entry in registry(take.recorder).list() if entry.champion] == [move[1]]
    assert before.read() is None


def test_the_workspace_is_deleted_for_good_with_what_is_left_here(cloud: Cloud, tmp_path: Path, take: Take) -> None:
    identity = f"{SUBSCRIPTION_ID}/resourceGroups/{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/models"
    record = cloud.world.get(identity)
    assert record is not None
    owner = take(RegistryOnAzure, MACHINE_LEARNING)
    (tmp_path / STACK / "registry" / "bundles").mkdir(parents=True)
    (tmp_path / STACK / "example.json").write_text("{}")
    for _ in range(2):
        owner.delete()
        assert cloud.world.get(identity) is None
        assert not cloud.world.buried(record.type)
    assert owner.read() is None
    assert list((tmp_path / STACK).iterdir()) == []
    cloud.world.put(record)


class TestCommands:
    """`models`, `serve`, `import-models` and `report` for a stack on Azure, on a machine without local files of it."""

    @pytest.fixture(autouse=True)
    def stack(self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The stack has the example names and no registered model."""
        del cloud
        monkeypatch.setattr(azure_models, "names_of", ExampleNames)
        monkeypatch.setattr(azure_models, "state_folder", lambda stack: tmp_path / "here" / stack)
        monkeypatch.setattr("personalize.stack.on_azure.azure_of", lambda *_: SETTINGS)

    @pytest.fixture
    def first(self, stack: None, take: Take, bundle_of: MakeBundle) -> str:
        """Register a version as if from another machine, and mark it as champion; returns its bundle's hash."""
        del stack
        take(ModelVersionOnAzure, candidate(bundle_of(1)))
        take(ChampionOnAzure, served(1))
        return checked_hash(bundle_of(1))

    def test_versions_are_listed_with_the_champion_and_others_cannot_be_served(self, first: str) -> None:
        [row] = model_rows(STACK)
        assert (row["version"], row["champion"], row["accepted"], row["bundle_hash"]) == (1, True, True, first)
        require_version(STACK, 1)
        with pytest.raises(BadInputError, match="no model version 7; registered are: 1"):
            require_version(STACK, 7)

    def test_kept_models_are_registered_beside_the_one_that_serves(
        self, first: str, tmp_path: Path, take: Take, empty_registry: Path, bundle_of: MakeBundle
    ) -> None:
        shutil.copytree(empty_registry, tmp_path / "earlier")
        earlier = LocalRegistry(tmp_path / "earlier")
        earlier.register(bundle_of(2))
        export(earlier.list, earlier.fetch, tmp_path / "saved")
        found = AzureVersions(STACK, SETTINGS)
        for _ in range(2):
            restored = restore(tmp_path / "saved", found.register_imported)
            assert {old: new.number for old, new in restored.items()} == {1: 2}
        assert [(one.number, one.champion) for one in found.list()] == [(1, True), (2, False)]
        assert [one.bundle_hash for one in found.list()] == [first, checked_hash(bundle_of(2))]
        found.fetch(found.get(2), tmp_path / "fetched")
        assert checked_hash(tmp_path / "fetched") == checked_hash(bundle_of(2))
        outputs = take(ModelVersionOnAzure, candidate(bundle_of(1), requested="2")).outputs
        assert (outputs.version, outputs.served_hash) == (2, checked_hash(bundle_of(2)))

    def test_a_stack_without_models_says_so(self) -> None:
        with pytest.raises(StackMissingError, match="has no models yet"):
            model_rows(STACK)

    def test_the_served_report_is_fetched_from_the_lake_once(self, first: str, tmp_path: Path) -> None:
        found = AzureVersions(STACK, SETTINGS)
        report = found.report()
        assert report == tmp_path / "here" / STACK / "registry" / "bundles" / first / REPORT
        fetched = report.stat().st_ino
        assert found.report() == report
        assert report.stat().st_ino == fetched
