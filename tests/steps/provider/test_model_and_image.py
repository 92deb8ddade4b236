"""The steps for models, images and keys, without an engine: what they create, find again, refuse, and keep."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.bundle import BundleError, checked_hash
from steps.api_key import ApiKeyHere
from steps.folders import StackFolder
from steps.image_content import SERVING_PACKAGES, CodeChangedError, serving_code_hash
from steps.model_registry import Outputs, RegistryHere
from steps.model_version import ModelVersionHere
from steps.model_versions import NoSuchVersionError
from steps.registry_here import LocalRegistry
from steps.serving_image import ServingImageHere
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import BASE, create, state
from tests.support.bundles import MakeBundle
from tests.support.recommenders import (
    make_bundle_of_positives,
    recommender,
)
from tools.paths import ROOT

FolderOf = Callable[[str], Path]


def candidate(folder: StackFolder, bundle: Path, *, requested: str = "latest") -> dict[str, Any]:
    """Inputs of a model version whose bundle is where training leaves it."""
    path = folder.runs / "run" / bundle.name
    shutil.copytree(bundle, path, dirs_exist_ok=True)
    return {**BASE, "bundle": folder.relative(path), "bundle_hash": checked_hash(path), "requested": requested}


def code_in(folder: Path) -> Path:
    """A copy of the serving code that a test may edit."""
    for package in SERVING_PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "uv.lock", folder / "uv.lock")
    return folder


def test_the_candidate_gets_the_next_version(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    step = ModelVersionHere(folder_of)
    created = [create(step, candidate(folder, bundle_of(seed)), recorder) for seed in (1, 2)]
    assert [made.outputs.version for made in created] == [1, 2]
    assert [version.number for version in registry.list()] == [1, 2]


@pytest.mark.usefixtures("registry")
def test_the_example_is_a_held_out_record_of_the_version_for_its_owner_alone(
    folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    for seed, requested in ((1, "latest"), (2, "latest"), (2, "1")):
        create(ModelVersionHere(folder_of), candidate(folder, bundle_of(seed), requested=requested), recorder)
        golden = bundle_of(int(requested) if requested != "latest" else seed) / "golden.jsonl"
        held_out = json.loads(golden.read_text().splitlines()[0])["record"]
        assert json.loads(folder.example.read_text()) == held_out
    assert folder.example == folder.path / "example.json"
    assert folder.example.stat().st_mode & 0o077 == 0
    assert not list(folder.path.glob(".example*"))


@pytest.mark.usefixtures("registry")
def test_a_version_that_only_recommends_leaves_no_example_of_another_one(
    folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle, tmp_path: Path
) -> None:
    step = ModelVersionHere(folder_of)
    create(step, candidate(folder, bundle_of(1)), recorder)
    assert folder.example.exists()
    alone = make_bundle_of_positives(tmp_path / "positives", recommender())
    assert create(step, candidate(folder, alone), recorder).outputs.version == 2
    assert not folder.example.exists()
    create(step, candidate(folder, alone, requested="1"), recorder)
    assert folder.example.exists()


@pytest.mark.usefixtures("registry")
def test_a_version_that_was_never_registered_is_refused(
    folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    with pytest.raises(NoSuchVersionError):
        create(ModelVersionHere(folder_of), candidate(folder, bundle_of(2), requested="9"), recorder)


def test_a_version_is_gone_with_its_bundle(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    step = ModelVersionHere(folder_of)
    inputs = candidate(folder, bundle_of(1))
    created = create(step, inputs, recorder)
    assert step.read(created.id, state(inputs, created), recorder.context) is not None
    shutil.rmtree(registry.bundle(created.outputs.served_hash))
    assert step.read(created.id, state(inputs, created), recorder.context) is None


def image_inputs(registry: LocalRegistry, bundle: Path, code: Path) -> dict[str, Any]:
    version = registry.register(bundle)
    return {
        **BASE,
        "version": version.number,
        "bundle_hash": version.bundle_hash,
        "code_hash": serving_code_hash(code),
        "libraries": {"lightgbm": "1"},
    }


def test_the_same_code_and_model_give_the_same_digest(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    step = ServingImageHere(folder_of)
    inputs = image_inputs(registry, bundle_of(1), ROOT)
    first = create(step, inputs, recorder)
    shutil.rmtree(folder.images)
    assert create(step, inputs, recorder) == first
    assert step.read(first.id, state(inputs, first), recorder.context) is not None


def test_code_and_model_each_change_the_digest(
    registry: LocalRegistry, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle, tmp_path: Path
) -> None:
    code = code_in(tmp_path / "code")
    step = ServingImageHere(folder_of, code)
    digests = {create(step, image_inputs(registry, bundle_of(seed), code), recorder).id for seed in (1, 2)}
    (code / "scoring" / "__init__.py").write_text('"""Edited."""\n')
    digests.add(create(step, image_inputs(registry, bundle_of(1), code), recorder).id)
    assert len(digests) == 3


def test_an_altered_image_is_gone(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    step = ServingImageHere(folder_of)
    inputs = image_inputs(registry, bundle_of(1), ROOT)
    created = create(step, inputs, recorder)
    (folder.image(created.id) / "app" / "scoring" / "__init__.py").write_text("# altered\n")
    assert step.read(created.id, state(inputs, created), recorder.context) is None


def test_an_image_whose_file_has_another_name_is_gone(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    step = ServingImageHere(folder_of)
    inputs = image_inputs(registry, bundle_of(1), ROOT)
    created = create(step, inputs, recorder)
    image = folder.image(created.id)
    (image / "entrypoint").rename(image / "entrypoint.old")  # same contents, same order, another name
    assert step.read(created.id, state(inputs, created), recorder.context) is None


def test_code_that_is_edited_during_the_build_gives_no_image(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    inputs = image_inputs(registry, bundle_of(1), ROOT) | {"code_hash": "0" * 64}
    with pytest.raises(CodeChangedError, match="Run `up` again"):
        create(ServingImageHere(folder_of), inputs, recorder)
    assert list(folder.images.iterdir()) == []


def test_an_altered_bundle_gives_no_image(
    registry: LocalRegistry, folder: StackFolder, folder_of: FolderOf, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    inputs = image_inputs(registry, bundle_of(1), ROOT)
    with (registry.bundle(inputs["bundle_hash"]) / "model.txt").open("a") as model:
        model.write("x")
    with pytest.raises(BundleError, match=r"model\.txt"):
        create(ServingImageHere(folder_of), inputs, recorder)
    assert list(folder.images.iterdir()) == []


def test_a_rotation_keeps_the_key_before_it_valid(recorder: Recorder) -> None:
    step = ApiKeyHere()
    first = {**BASE, "rotation": 1}
    known = state(first, create(step, first, recorder))
    rotated = step.update("key", known, step.parse({**BASE, "rotation": 2}), recorder.context)
    assert rotated.previous == known["current"]
    assert rotated.current != known["current"]


def test_two_rotations_end_a_leaked_key(recorder: Recorder) -> None:
    step = ApiKeyHere()
    known: dict[str, Any] = {"current": "leaked", "previous": "", "rotation": 1}
    for rotation in (2, 3):
        inputs = step.parse({**BASE, "rotation": rotation})
        known = {**step.update("key", known, inputs, recorder.context).model_dump(), "rotation": rotation}
    assert "leaked" not in known.values()
    assert known["current"] != known["previous"]


def test_keys_change_at_a_rotation_only(recorder: Recorder) -> None:
    step = ApiKeyHere()
    first = {**BASE, "rotation": 1}
    known = state(first, create(step, first, recorder))
    same = step.update("key", known, step.parse({**first, "registry": "other"}), recorder.context)
    assert (same.current, same.previous) == (known["current"], "")


@pytest.mark.usefixtures("registry")
def test_deleting_the_registry_removes_versions_images_and_remains(
    folder: StackFolder, folder_of: FolderOf, recorder: Recorder
) -> None:
    for remains in (folder.images, folder.runs / "half", folder.lake / "raw" / ".half"):
        remains.mkdir(parents=True)
    folder.example.write_text("{}")
    RegistryHere(folder_of).delete("ctr", {"stack": STACK}, recorder.context)
    assert list(folder.path.iterdir()) == []


@pytest.mark.usefixtures("registry")
def test_the_registry_is_gone_without_its_database(
    folder: StackFolder, folder_of: FolderOf, recorder: Recorder
) -> None:
    step = RegistryHere(folder_of)
    assert step.read("ctr", {"stack": STACK, "registry": "ctr"}, recorder.context) == Outputs(registry="ctr")
    (folder.registry / "mlflow.db").unlink()
    assert step.read("ctr", {"stack": STACK, "registry": "ctr"}, recorder.context) is None
