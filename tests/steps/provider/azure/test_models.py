"""The steps that keep models in Azure ML: versions, gate, champion, image record, and purge."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from azure_clients.credentials import container
from azure_clients.retries import AzureRefusedError, Timeout
from features.bundle import METADATA, checked_hash, seal
from steps.champion import ChampionOnAzure
from steps.environment import Environment
from steps.model_registry import RegistryOnAzure
from steps.model_version import ModelVersionOnAzure
from steps.model_versions import NoSuchVersionError, Version
from steps.registry_on_azure import AzureRegistry, versions_of
from tests.simulation.faults import FaultKind
from tests.steps.provider.azure.conftest import BLOB, MACHINE_LEARNING, TENANT, Cloud
from tests.steps.provider.azure.examples import GROUP, SUBSCRIPTION
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create, state
from tests.support.bundles import MakeBundle
from tools import azurite
from training.evaluation.metrics import evaluate
from training.parameters import TrainingParameters

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
TIMEOUT = Timeout(seconds=20, pause=0.1)
CALLS_OF_A_MOVE = 6
"""Four lists, the new mark, and the old one's removal."""
IMAGE = "registryabc.azurecr.io/scoring@sha256:" + "c" * 64
LAKE = "abfss://models@lakeabc.dfs.core.windows.net"


def candidate(tmp_path: Path, bundle: Path, requested: str = "latest") -> dict[str, Any]:
    """Inputs of a model version whose bundle is where training leaves it, on this machine and in the lake."""
    copy = tmp_path / STACK / "runs" / "run" / "bundle"
    models = container(TENANT, BLOB, "models")
    path = f"files/runs/{checked_hash(bundle)[:16]}/bundle"
    for file in (found for found in bundle.rglob("*") if found.is_file()):
        name = file.relative_to(bundle)
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(file.read_bytes())
        models.upload_blob(f"{path}/{name.as_posix()}", file.read_bytes(), overwrite=True)
    return {
        **MACHINE_LEARNING,
        "registry": "ctr",
        "blob_endpoint": BLOB,
        "bundle": "runs/run/bundle",
        "bundle_hash": checked_hash(bundle),
        "bundle_url": f"{LAKE}/{path}",
        "data_url": "abfss://raw@lakeabc.dfs.core.windows.net/1",
        "run_url": "https://adb-1.azuredatabricks.net/#job/1/run/2",
        "requested": requested,
    }


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


def step(tmp_path: Path) -> ModelVersionOnAzure:
    return ModelVersionOnAzure(lambda stack: tmp_path / stack, TIMEOUT)


def registry(recorder: Recorder) -> AzureRegistry:
    return AzureRegistry(step(Path()).parse(candidate_less()), recorder.context, TIMEOUT)


def versions(recorder: Recorder) -> list[Version]:
    """All versions with what the lake knows of them."""
    return versions_of(registry(recorder).list(), step(Path()).parse(candidate_less()), recorder.context, TIMEOUT)


def candidate_less() -> dict[str, Any]:
    """The registry's inputs, without a candidate."""
    names = ("registry", "bundle", "bundle_hash", "bundle_url", "data_url", "run_url", "requested")
    rest = dict.fromkeys(names, "")
    return {**MACHINE_LEARNING, "blob_endpoint": BLOB, **rest}


def test_a_candidate_is_registered_once_with_its_lineage(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    cloud.arm.faults.order("^http management PUT .*/models/", kind=FaultKind.UNAVAILABLE)
    cloud.arm.faults.order("^http management GET .*/models/", kind=FaultKind.THROTTLED)
    created = create(step(tmp_path), candidate(tmp_path, bundle_of(1)), recorder)
    assert create(step(tmp_path), candidate(tmp_path, bundle_of(1)), recorder).id == created.id == "1"
    assert created.outputs.served_hash == checked_hash(bundle_of(1))
    assert (tmp_path / STACK / created.outputs.report).is_file()
    example = json.loads((tmp_path / STACK / "example.json").read_text())
    assert example == json.loads((bundle_of(1) / "golden.jsonl").read_text().splitlines()[0])["record"]
    (shown,) = cloud.world.setting("ml_assets").values()
    tags = shown["properties"]["tags"]
    assert tags["data"] == "abfss://raw@lakeabc.dfs.core.windows.net/1"
    assert tags["run"].startswith("https://adb-1")
    assert shown["properties"]["modelUri"].startswith("azureml://")


def test_tags_are_as_short_as_azure_ml_keeps_them(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    create(step(tmp_path), candidate(tmp_path, measured(bundle_of(1), tmp_path)), recorder)
    [shown] = cloud.world.setting("ml_assets").values()
    tags = shown["properties"]["tags"]
    assert tags["metric.auc"] == "0.5"
    assert max(map(len, tags.values())) <= 256


def test_what_tags_leave_out_is_read_from_the_bundles_in_the_lake(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    del cloud
    whole = measured(bundle_of(1), tmp_path)
    create(step(tmp_path), candidate(tmp_path, whole), recorder)
    lost = candidate(tmp_path, bundle_of(2))
    create(step(tmp_path), lost, recorder)
    container(TENANT, BLOB, "models").delete_blob(f"{lost['bundle_url'].split('/', 3)[3]}/{METADATA}")
    first, second = versions(recorder)
    stored = json.loads((whole / METADATA).read_bytes())
    assert first.hyperparameters == stored["hyperparameters"]
    assert first.metrics == {name: value for name, value in stored["metrics"].items() if name not in {"slices", "keys"}}
    assert (first.accepted, second.accepted, second.metrics) == (True, False, {})
    assert second.reasons == (f"Its bundle is no longer at {lost['bundle_url']}.",)


def test_an_older_version_is_found_and_its_bundle_brought(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    del cloud
    create(step(tmp_path), candidate(tmp_path, bundle_of(1)), recorder)
    elsewhere = tmp_path / "elsewhere"
    created = create(step(elsewhere), candidate(elsewhere, bundle_of(2), requested="1"), recorder)
    assert created.outputs.served_hash == checked_hash(bundle_of(1))
    assert checked_hash((elsewhere / STACK / created.outputs.report).parent) == checked_hash(bundle_of(1))
    with pytest.raises(NoSuchVersionError, match="registered are: 1"):
        create(step(tmp_path), candidate(tmp_path, bundle_of(2), requested="9"), recorder)


def served(number: int, refusal: str = "") -> dict[str, Any]:
    """Inputs of a champion."""
    return {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": number, "refusal": refusal}


@pytest.mark.parametrize("move", [(1, 2), (2, 1)])
def test_there_is_a_champion_whichever_call_interrupts_its_move(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle, move: tuple[int, int]
) -> None:
    for seed in (1, 2):
        create(step(tmp_path), candidate(tmp_path, bundle_of(seed)), recorder)
    mark = ChampionOnAzure(lambda stack: tmp_path / stack, TIMEOUT)
    old, new = (served(number) for number in move)
    known = state(old, create(mark, old, recorder))
    for nth in range(1, CALLS_OF_A_MOVE + 1):
        create(mark, old, recorder)
        cloud.arm.faults.order("^http management", nth=nth, kind=FaultKind.REFUSED)
        with pytest.raises(AzureRefusedError):
            create(mark, new, recorder)
        champion = registry(recorder).champion()
        assert champion is not None, f"none after {nth - 1} calls"
        assert champion.number in move
        create(mark, new, recorder)
    assert [entry.number for entry in registry(recorder).list() if entry.champion] == [move[1]]
    assert mark.read("models", known, recorder.context) is None


def test_an_image_is_recorded_once_and_found_again(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    record = Environment(lambda stack: tmp_path / stack, TIMEOUT)
    wanted = {**MACHINE_LEARNING, "image": IMAGE, "version": 3}
    created = create(record, wanted, recorder)
    assert create(record, wanted, recorder) == created
    (shown,) = cloud.world.setting("ml_assets").values()
    assert shown["properties"]["image"] == IMAGE
    assert record.read(created.id, state(wanted, created), recorder.context) is not None
    cloud.world.set("ml_assets", {})
    assert record.read(created.id, state(wanted, created), recorder.context) is None


def test_the_workspace_is_deleted_for_good_with_what_is_left_here(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    identity = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/models"
    record = cloud.world.get(identity)
    assert record is not None
    owner = RegistryOnAzure(lambda stack: tmp_path / stack, TIMEOUT)
    known = state(MACHINE_LEARNING, create(owner, MACHINE_LEARNING, recorder))
    (tmp_path / STACK / "registry" / "bundles").mkdir(parents=True)
    (tmp_path / STACK / "example.json").write_text("{}")
    for _ in range(2):
        owner.delete("models", known, recorder.context)
        assert cloud.world.get(identity) is None
        assert not cloud.world.buried(record.type)
    assert owner.read("models", known, recorder.context) is None
    assert list((tmp_path / STACK).iterdir()) == []
    cloud.world.put(record)
