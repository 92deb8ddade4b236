"""A candidate that the gate rejected: what serves instead, what stays as it is, and where it is reported."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.bundle import METADATA, checked_hash, seal
from recommend.stored import FOLDER as SNAPSHOTS
from steps.local.champion import Champion
from steps.local.model_version import ModelVersion
from steps.local.registry import LocalRegistry
from steps.local.snapshots import LocalSnapshots
from steps.shared.folders import StackFolder
from steps.shared.model_versions import GateFailedError
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import BASE, create
from tests.steps.provider.test_model_and_image import FolderOf, candidate
from tests.support.bundles import MakeBundle
from tests.support.recommenders import make_recommending_bundle, recommender, write_snapshots


def rejected(folder: StackFolder, bundle: Path, **metrics: Any) -> dict[str, Any]:
    """Inputs of a model version that the gate rejected."""
    inputs = candidate(folder, bundle)
    metadata = folder.path / inputs["bundle"] / METADATA
    content = json.loads(metadata.read_bytes())
    content["verdict"] = {"accepted": False, "reasons": ["The AUC 0.51 is below 0.6."]}
    content["metrics"] |= metrics
    metadata.write_text(json.dumps(content))
    return inputs | {"bundle_hash": seal(metadata.parent)}


def test_a_first_candidate_that_the_gate_rejected_is_registered_and_refused(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    registry.register_imported(bundle_of(2))
    for _ in range(2):
        with pytest.raises(GateFailedError, match=r"rejected model version 2: The AUC 0\.51 is below 0\.6\."):
            create(ModelVersion(folder_of), rejected(folder, bundle_of(1)), recorder)
    assert [version.accepted for version in registry.list()] == [True, False], "an imported one is not the latest"


def test_instead_of_a_rejected_candidate_the_newest_version_serves_that_the_stack_has_trained(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    step, mark = ModelVersion(folder_of), Champion(folder_of)
    for seed in (1, 2):
        create(step, candidate(folder, bundle_of(seed)), recorder)
    registry.register_imported(bundle_of(3))
    served = create(step, rejected(folder, bundle_of(4)), recorder).outputs
    assert (served.version, served.served_hash) == (2, checked_hash(bundle_of(2)))
    assert served.refusal.startswith("The gate rejected model version 4: The AUC 0.51 is below 0.6. Version 2 serves.")
    inputs = {**BASE, "version": served.version, "refusal": served.refusal}
    for _ in range(2):
        with pytest.raises(GateFailedError, match="rejected model version 4"):
            create(mark, inputs, recorder)
        assert [version.number for version in registry.list() if version.champion] == [2]
    create(step, candidate(folder, bundle_of(3)), recorder)
    assert create(step, rejected(folder, bundle_of(4)), recorder).outputs.version == 3, "which it has trained, too"


def test_a_rejected_candidate_leaves_the_users_and_items_of_the_version_that_serves(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, tmp_path: Path
) -> None:
    step = ModelVersion(folder_of)
    write_snapshots(folder.runs / "run" / SNAPSHOTS)
    first = create(step, candidate(folder, make_recommending_bundle(tmp_path / "bundle", recommender())), recorder)
    registry.set_champion(1)
    own = folder.snapshots_of(first.outputs.served_hash)
    before = {file.name: file.read_bytes() for file in own.glob("*.sqlite")}
    assert {*before} == {"histories.sqlite", "catalogue.sqlite"}
    shutil.rmtree(folder.runs)
    other = make_recommending_bundle(tmp_path / "other" / "bundle", None)
    served = create(step, rejected(folder, other, auc=0.5), recorder).outputs
    assert (served.version, served.served_hash) == (1, first.outputs.served_hash)
    assert {file.name: file.read_bytes() for file in own.glob("*.sqlite")} == before
    assert [path for path in folder.snapshots.iterdir() if path.is_dir()] == [own]


@pytest.mark.usefixtures("registry")
def test_after_two_rollbacks_the_latest_version_still_knows_its_users(
    folder: StackFolder, folder_of: FolderOf, recorder: Recorder, tmp_path: Path
) -> None:
    step, mark = ModelVersion(folder_of), Champion(folder_of)
    for number in (1, 2, 3):
        shutil.rmtree(folder.runs, ignore_errors=True)
        write_snapshots(folder.runs / "run" / SNAPSHOTS)
        made = replace(recommender(), items=["a", f"b{number}", "c", "d", "17"])
        create(step, candidate(folder, make_recommending_bundle(tmp_path / str(number), made)), recorder)
        create(mark, {**BASE, "version": number, "refusal": ""}, recorder)
    shutil.rmtree(folder.runs)
    inputs = rejected(folder, make_recommending_bundle(tmp_path / "other" / "bundle", None), auc=0.5)
    for requested, number in (("latest", 3), ("2", 2), ("1", 1), ("latest", 3)):
        served = create(step, inputs | {"requested": requested}, recorder).outputs
        assert served.version == number
        if requested != "latest":
            create(mark, {**BASE, "version": number, "refusal": ""}, recorder)
    assert LocalSnapshots(folder).knows_users(served.served_hash)
