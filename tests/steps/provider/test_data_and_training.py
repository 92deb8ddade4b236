"""The steps for data and training, without an engine: what they create, find again, refuse, and leave alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from azure_clients.model_versions import Earlier
from azure_clients.retries import StepCancelledError
from features.bundle import checked_hash
from recommend.forgotten import NOBODY
from steps.data_upload import DataUploadHere
from steps.folders import StackFolder
from steps.provider import UNKNOWN
from steps.registry_here import LocalRegistry
from steps.training_run import RESULT, RunFolder, TrainingRunHere, request, run_id
from tests.steps.provider.steps import BASE, HASH, Recorder, Take, create
from tests.support.bundles import MakeBundle
from tests.support.versions import version
from training.datasets import describe
from training.errors import DatasetError
from training.parameters import GateParameters, TablesDataset, TrainingParameters

NOTHING = Earlier(champion=None, best=None)


def upload_inputs(seed: int = 1) -> dict[str, Any]:
    return {**BASE, "dataset": {"kind": "films", "users": 100, "films": 50, "seed": seed}, "manifest_hash": HASH}


def training_inputs(**parameters: object) -> dict[str, Any]:
    return {
        **BASE,
        "dataset": {"kind": "films", "users": 100, "films": 50, "seed": 1},
        "location": f"lake/raw/{HASH}",
        "manifest_hash": HASH,
        "parameters": TrainingParameters.model_validate(parameters).model_dump(mode="json"),
        "gate": GateParameters().model_dump(mode="json"),
        "code_hash": "b" * 64,
        "libraries": {"lightgbm": "1"},
    }


def finished_run(folder: StackFolder, bundle: Path, inputs: dict[str, Any]) -> Path:
    """A run's folder, as finished training leaves it."""
    run = folder.runs / run_id(TrainingRunHere().parse(inputs), NOTHING)
    shutil.copytree(bundle, run / "output" / "bundle")
    kept = run / "output" / "bundle"
    result = {
        "bundle": str(kept),
        "bundle_hash": checked_hash(kept),
        "report": str(kept / "report.html"),
        "verdict": {"accepted": True, "reasons": []},
        "metrics": {"auc": 0.75},
    }
    (run / RESULT).write_text(json.dumps(result))
    return run


def test_values_that_are_not_known_yet_are_not_judged() -> None:
    assert DataUploadHere().check({**upload_inputs(), "registry": UNKNOWN}) == {}


def test_who_is_forgotten_makes_another_run_but_is_no_difference_of_the_step() -> None:
    inputs, users = TrainingRunHere().parse(training_inputs()), NOBODY.with_user("u1")
    assert run_id(inputs, NOTHING, users) != run_id(inputs, NOTHING)
    assert run_id(inputs, NOTHING, users.without_user("u1")) == run_id(inputs, NOTHING)
    assert not any("forgotten" in name for name in type(inputs).model_fields)


def test_what_interrupted_runs_left_goes_with_the_next_one_that_is_finished(folder: StackFolder) -> None:
    kept = RunFolder(folder, "0" * 16)
    for name in (kept.identity, "1" * 16, "2" * 16):
        (folder.runs / name / "output" / "work" / "rows").mkdir(parents=True)
    for name in (kept.identity, "1" * 16):
        (folder.runs / name / RESULT).write_text("{}")
    kept.remove_interrupted()
    assert {path.name for path in folder.runs.iterdir()} == {kept.identity, "1" * 16}


def test_a_hyperparameter_makes_a_new_training_run() -> None:
    difference = TrainingRunHere().diff(training_inputs(), training_inputs(num_leaves=7))
    assert difference.replaces == {"parameters"}


def test_a_value_that_is_not_known_yet_counts_as_changed() -> None:
    difference = TrainingRunHere().diff(training_inputs(), {**training_inputs(), "manifest_hash": UNKNOWN})
    assert difference.replaces == {"manifest_hash"}


def test_data_that_moved_but_is_the_same_is_not_brought_again() -> None:
    difference = DataUploadHere().diff(upload_inputs(seed=1), upload_inputs(seed=2))
    assert (difference.changed, difference.replaces) == (frozenset({"dataset"}), frozenset())


def test_upload_writes_the_dataset_under_its_hash(folder: StackFolder, take: Take) -> None:
    created = take(DataUploadHere, upload_inputs())
    assert created.outputs.location == f"lake/raw/{HASH}"
    assert list((folder.lake / "raw" / HASH).glob("*.csv"))
    assert created.read() is not None
    created.delete()
    assert created.read() is None
    assert list((folder.lake / "raw").iterdir()) == []


def test_a_killed_deletion_leaves_no_half_of_a_dataset(
    folder: StackFolder, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = take(DataUploadHere, upload_inputs())
    files = {file.name for file in (folder.lake / "raw" / HASH).iterdir()}

    def killed(place: Path, **_: object) -> None:
        if place.exists():
            next(place.glob("*.yaml")).unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("steps.datasets.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            made.delete()
    assert made.read() is None
    again = take(DataUploadHere, upload_inputs())
    assert {file.name for file in (folder.lake / "raw" / HASH).iterdir()} == files
    again.delete()
    assert list((folder.lake / "raw").iterdir()) == []


def test_upload_stops_at_an_interruption_and_leaves_nothing_half_written(
    folder: StackFolder, take: Take, recorder: Recorder
) -> None:
    recorder.cancelled.set()
    with pytest.raises(StepCancelledError):
        take(DataUploadHere, upload_inputs())
    assert not (folder.lake / "raw" / HASH).exists()


def test_upload_keeps_no_other_data_under_the_planned_hash(folder: StackFolder, take: Take, tmp_path: Path) -> None:
    clicks, spec = tmp_path / "clicks.csv", tmp_path / "dataset.yaml"
    clicks.write_text("hit,user\n1,a\n0,b\n")
    spec.write_text("interactions: clicks.csv\nlabel: {column: hit}\ncategorical: [user]\n")
    dataset = {"kind": "tables", "spec": str(spec)}
    planned = describe(TablesDataset.model_validate(dataset)).hash
    clicks.write_text("hit,user\n1,a\n0,b\n1,c\n")
    with pytest.raises(DatasetError, match="changed after it was planned"):
        take(DataUploadHere, {**BASE, "dataset": dataset, "manifest_hash": planned})
    assert not (folder.lake / "raw" / planned).exists()


def test_an_old_resource_does_not_delete_data_that_a_new_one_has_adopted(folder: StackFolder, take: Take) -> None:
    (folder.lake / "raw" / HASH).mkdir(parents=True)
    old = take(DataUploadHere, upload_inputs())
    take(DataUploadHere, upload_inputs())
    old.delete()
    assert (folder.lake / "raw" / HASH).is_dir()


def test_a_run_is_found_again_after_its_folder_was_moved(
    tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    folder = StackFolder(tmp_path / "before")
    path = finished_run(folder, bundle_of(1), training_inputs())
    run = RunFolder(folder, path.name)
    run.keep(json.loads((path / RESULT).read_text()))
    folder.path.rename(tmp_path / "after")
    moved = RunFolder(StackFolder(tmp_path / "after"), path.name)
    result = moved.finished()
    assert result is not None
    assert moved.outputs(result).bundle == f"runs/{path.name}/output/bundle"
    assert create(TrainingRunHere(lambda _: tmp_path / "after"), training_inputs(), recorder).id == path.name


def test_a_run_whose_bundle_was_altered_is_gone_unless_the_registry_has_it(
    folder: StackFolder, take: Take, bundle_of: MakeBundle
) -> None:
    run = finished_run(folder, bundle_of(1), training_inputs())
    known = take(TrainingRunHere, training_inputs())
    model = run / "output" / "bundle" / "model.txt"
    model.write_text(model.read_text().replace("tree", "trei", 1))
    assert known.read() is None
    shutil.copytree(bundle_of(1), folder.registry / "bundles" / known.outputs.bundle_hash)
    assert known.read() == known.outputs
    assert checked_hash(run / "output" / "bundle") == known.outputs.bundle_hash


def test_an_old_resource_does_not_delete_a_run_that_a_new_one_has_adopted(
    folder: StackFolder, take: Take, bundle_of: MakeBundle
) -> None:
    run = finished_run(folder, bundle_of(1), training_inputs())
    old, new = (take(TrainingRunHere, training_inputs()) for _ in range(2))
    old.delete()
    assert run.is_dir()
    new.delete()
    assert not run.exists()


def test_a_run_is_named_by_everything_that_its_bundle_and_verdict_depend_on() -> None:
    parse = TrainingRunHere().parse
    inputs = training_inputs()
    names = {
        run_id(parse(inputs), NOTHING),
        run_id(parse(inputs), Earlier(champion=version(2), best=None)),
        run_id(parse(inputs), Earlier(champion=version(2), best=version(1))),
        run_id(parse(training_inputs(num_leaves=7)), NOTHING),
        run_id(parse({**inputs, "code_hash": "c" * 64}), NOTHING),
        run_id(parse({**inputs, "manifest_hash": "c" * 64}), NOTHING),
        run_id(parse({**inputs, "gate": GateParameters(min_auc=0.9).model_dump()}), NOTHING),
    }
    assert len(names) == 7


def test_training_is_asked_for_what_the_inputs_say(
    folder: StackFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalRegistry, "whole", LocalRegistry.bundle)
    inputs = training_inputs(num_leaves=7)
    earlier = Earlier(champion=version(2), best=version(1))
    wanted = request(TrainingRunHere().parse(inputs), folder, earlier, tmp_path / "run")
    assert wanted.training == TrainingParameters(num_leaves=7)
    assert wanted.dataset.model_dump(mode="json") == inputs["dataset"]
    assert wanted.data == folder.lake / "raw" / HASH
    assert (wanted.champion, wanted.champion_version) == (folder.registry / "bundles" / "bundle-2", 2)
    assert (wanted.best, wanted.best_version) == (folder.registry / "bundles" / "bundle-1", 1)
    assert wanted.output == tmp_path / "run" / "output"
