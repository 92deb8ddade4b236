"""The steps for models, images and keys, without an engine: what they create, find again, refuse, and keep; and what
serves instead of a candidate that the gate rejected."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azure_clients.model_versions import GateFailedError, NoSuchVersionError
from features.bundle import METADATA, BundleError, checked_hash, seal
from features.errors import BadInputError
from steps.api_key import ApiKeyHere
from steps.champion import ChampionHere
from steps.folders import StackFolder
from steps.image_content import SERVING_PACKAGES, CodeChangedError, image_digest, serving_code_hash
from steps.model_registry import Outputs, RegistryHere
from steps.model_version import ModelVersionHere
from steps.registry_here import LocalRegistry
from steps.serving_image import ServingImageHere
from tests.steps.provider.steps import BASE, STACK, Take
from tests.support.bundles import DAMAGES, MakeBundle
from tests.support.recommenders import (
    make_bundle_of_positives,
    recommender,
)
from tools.paths import ROOT


def candidate(folder: StackFolder, bundle: Path, *, requested: str = "latest") -> dict[str, Any]:
    """Inputs of a model version whose bundle is where training leaves it."""
    path = folder.runs / "run" / bundle.name
    shutil.copytree(bundle, path, dirs_exist_ok=True)
    return {**BASE, "bundle": folder.relative(path), "bundle_hash": checked_hash(path), "requested": requested}


@pytest.mark.usefixtures("registry")
def test_the_example_is_a_held_out_record_of_the_version_for_its_owner_alone(
    folder: StackFolder, take: Take, bundle_of: MakeBundle
) -> None:
    for seed, requested in ((1, "latest"), (2, "latest"), (2, "1")):
        take(ModelVersionHere, candidate(folder, bundle_of(seed), requested=requested))
        golden = bundle_of(int(requested) if requested != "latest" else seed) / "golden.jsonl"
        held_out = json.loads(golden.read_text().splitlines()[0])["record"]
        assert json.loads(folder.example.read_text()) == held_out
    assert folder.example == folder.path / "example.json"
    assert folder.example.stat().st_mode & 0o077 == 0
    assert not list(folder.path.glob(".example*"))


@pytest.mark.usefixtures("registry")
def test_a_version_that_only_recommends_leaves_no_example_of_another_one(
    folder: StackFolder, take: Take, bundle_of: MakeBundle, tmp_path: Path
) -> None:
    take(ModelVersionHere, candidate(folder, bundle_of(1)))
    assert folder.example.exists()
    alone = make_bundle_of_positives(tmp_path / "positives", recommender())
    assert take(ModelVersionHere, candidate(folder, alone)).outputs.version == 2
    assert not folder.example.exists()
    take(ModelVersionHere, candidate(folder, alone, requested="1"))
    assert folder.example.exists()


@pytest.mark.usefixtures("registry")
def test_a_version_that_was_never_registered_is_refused(folder: StackFolder, take: Take, bundle_of: MakeBundle) -> None:
    with pytest.raises(NoSuchVersionError):
        take(ModelVersionHere, candidate(folder, bundle_of(2), requested="9"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_registered_bundle_is_seen_by_a_refresh_and_replaced_by_a_whole_copy(
    registry: LocalRegistry, folder: StackFolder, take: Take, bundle_of: MakeBundle, damage: Callable[[Path], None]
) -> None:
    inputs, images = candidate(folder, bundle_of(1)), image_inputs(registry, bundle_of(1), ROOT)
    created = take(ModelVersionHere, inputs)
    assert created.read() is not None
    kept = registry.bundle(created.outputs.served_hash)
    damage(kept)
    assert created.read() is None
    assert take(ModelVersionHere, inputs).created == created.created, "from the run's copy"
    assert checked_hash(kept) == kept.name
    image = take(ServingImageHere, images)
    damage(kept)
    damage(folder.path / inputs["bundle"])
    assert take(ServingImageHere, images).id == image.id, "from the image's copy"
    assert checked_hash(kept) == kept.name
    damage(kept)
    registry.register_imported(bundle_of(1))
    assert checked_hash(kept) == kept.name, "from an export"
    assert [version.number for version in registry.list()] == [1]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_image_is_replaced(
    registry: LocalRegistry, folder: StackFolder, take: Take, bundle_of: MakeBundle, damage: Callable[[Path], None]
) -> None:
    inputs = image_inputs(registry, bundle_of(1), ROOT)
    created = take(ServingImageHere, inputs)
    damage(folder.image(created.id) / "model")
    assert created.read() is None
    assert take(ServingImageHere, inputs).id == created.id
    assert image_digest(folder.image(created.id)) == created.id
    assert list(folder.images.iterdir()) == [folder.image(created.id)]


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
    registry: LocalRegistry, folder: StackFolder, take: Take, bundle_of: MakeBundle
) -> None:
    inputs = image_inputs(registry, bundle_of(1), ROOT)
    first = take(ServingImageHere, inputs)
    shutil.rmtree(folder.images)
    assert take(ServingImageHere, inputs).created == first.created
    assert first.read() is not None


def test_code_and_model_each_change_the_digest(
    registry: LocalRegistry, take: Take, bundle_of: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "code"
    for package in SERVING_PACKAGES:
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "uv.lock", code / "uv.lock")
    monkeypatch.setattr(ServingImageHere, "code", code)
    digests = {take(ServingImageHere, image_inputs(registry, bundle_of(seed), code)).id for seed in (1, 2)}
    (code / "scoring" / "__init__.py").write_text('"""Edited."""\n')
    digests.add(take(ServingImageHere, image_inputs(registry, bundle_of(1), code)).id)
    assert len(digests) == 3


def alter(image: Path) -> None:
    (image / "app" / "scoring" / "__init__.py").write_text("# altered\n")


def rename(image: Path) -> None:
    (image / "entrypoint").rename(image / "entrypoint.old")  # same contents, same order, another name


@pytest.mark.parametrize("change", [alter, rename])
def test_an_image_that_is_not_what_it_was_is_gone(
    registry: LocalRegistry, folder: StackFolder, take: Take, bundle_of: MakeBundle, change: Callable[[Path], None]
) -> None:
    created = take(ServingImageHere, image_inputs(registry, bundle_of(1), ROOT))
    change(folder.image(created.id))
    assert created.read() is None


def test_code_that_is_edited_meanwhile_or_an_altered_bundle_gives_no_image(
    registry: LocalRegistry, folder: StackFolder, take: Take, bundle_of: MakeBundle
) -> None:
    inputs = image_inputs(registry, bundle_of(1), ROOT)
    with pytest.raises(CodeChangedError, match="Run `up` again"):
        take(ServingImageHere, inputs | {"code_hash": "0" * 64})
    with (registry.bundle(inputs["bundle_hash"]) / "model.txt").open("a") as model:
        model.write("x")
    with pytest.raises(BundleError, match=r"is damaged .* neither a run nor an image has a whole copy"):
        take(ServingImageHere, inputs)
    assert list(folder.images.iterdir()) == []


def test_a_rotation_makes_a_key_and_keeps_the_one_before_it(take: Take) -> None:
    made = take(ApiKeyHere, {**BASE, "rotation": 1})
    known: dict[str, Any] = {**made.outputs.model_dump(), "rotation": 1}
    leaked = known["current"]
    found = []
    for rotation in (1, 2, 3):
        inputs = made.step.parse({**BASE, "registry": "other", "rotation": rotation})
        known = {**made.step.update("key", known, inputs, take.recorder.context).model_dump(), "rotation": rotation}
        found.append((known["current"], known["previous"]))
    same, rotated, again = found
    assert same == (leaked, ""), "no rotation, no new key"
    assert rotated[1] == leaked
    assert again[1] == rotated[0]
    assert len({leaked, *rotated, *again}) == 3


@pytest.mark.parametrize("raised", [2, 5])
def test_a_rotation_by_two_or_more_ends_every_earlier_key(take: Take, raised: int) -> None:
    made = take(ApiKeyHere, {**BASE, "rotation": 2})
    known = {**made.outputs.model_dump(), "previous": "earlier", "rotation": 2}
    inputs = made.step.parse({**BASE, "rotation": 2 + raised})
    found = made.step.update("key", known, inputs, take.recorder.context)
    assert found.previous == ""
    assert found.current not in {known["current"], "earlier", ""}


def test_a_lower_rotation_is_refused_in_a_sentence() -> None:
    known = {**BASE, "rotation": 3, "current": "a", "previous": "b"}
    with pytest.raises(BadInputError, match=r"key_rotation is 2, .* of rotation 3: .*Restore the number"):
        ApiKeyHere().diff(known, {**BASE, "rotation": 2})
    assert ApiKeyHere().diff(known, {**BASE, "rotation": 4}).changed == {"rotation"}


@pytest.mark.usefixtures("registry")
def test_deleting_the_registry_removes_versions_images_and_remains(folder: StackFolder, take: Take) -> None:
    for remains in (folder.images, folder.runs / "half", folder.lake / "raw" / ".half"):
        remains.mkdir(parents=True)
    folder.example.write_text("{}")
    take(RegistryHere, {"stack": STACK}).delete()
    assert list(folder.path.iterdir()) == []


@pytest.mark.usefixtures("registry")
def test_the_registry_is_gone_without_its_database(folder: StackFolder, take: Take) -> None:
    made = take(RegistryHere, {"stack": STACK})
    assert made.read() == Outputs(registry="ctr")
    (folder.registry / "mlflow.db").unlink()
    assert made.read() is None


def rejected(folder: StackFolder, bundle: Path, **metrics: Any) -> dict[str, Any]:
    """Inputs of a model version that the gate rejected."""
    inputs = candidate(folder, bundle)
    metadata = folder.path / inputs["bundle"] / METADATA
    content = json.loads(metadata.read_bytes())
    content["verdict"] = {"accepted": False, "reasons": ["The AUC 0.51 is below 0.6."]}
    content["metrics"] |= metrics
    metadata.write_text(json.dumps(content))
    return inputs | {"bundle_hash": seal(metadata.parent)}


def test_instead_of_a_rejected_candidate_the_newest_version_serves_that_the_stack_has_trained(
    registry: LocalRegistry, folder: StackFolder, take: Take, bundle_of: MakeBundle
) -> None:
    registry.register_imported(bundle_of(3))
    for _ in range(2):
        with pytest.raises(GateFailedError, match=r"rejected model version 2: The AUC 0\.51 is below 0\.6\."):
            take(ModelVersionHere, rejected(folder, bundle_of(4)))
    assert [version.accepted for version in registry.list()] == [True, False], "an imported one is not the latest"
    for seed in (1, 2):
        take(ModelVersionHere, candidate(folder, bundle_of(seed)))
    served = take(ModelVersionHere, rejected(folder, bundle_of(4))).outputs
    assert (served.version, served.served_hash) == (4, checked_hash(bundle_of(2)))
    assert served.refusal.startswith("The gate rejected model version 2: The AUC 0.51 is below 0.6. Version 4 serves.")
    inputs = {**BASE, "version": served.version, "refusal": served.refusal}
    for _ in range(2):
        with pytest.raises(GateFailedError, match="rejected model version 2"):
            take(ChampionHere, inputs)
        assert [version.number for version in registry.list() if version.champion] == [4]
    registry.register_imported(bundle_of(5))
    assert take(ModelVersionHere, rejected(folder, bundle_of(4))).outputs.version == 4
    take(ModelVersionHere, candidate(folder, bundle_of(5)))
    assert take(ModelVersionHere, rejected(folder, bundle_of(4))).outputs.version == 5, "which it has trained, too"
