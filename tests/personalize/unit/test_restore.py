"""Importing the saved models of an earlier stack into another one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from azure_clients.model_versions import INDEX
from features.bundle import checked_hash
from features.errors import BadInputError
from personalize.commands.app import app
from personalize.commands.models import export, restore
from personalize.errors import StackMissingError
from steps.registry_here import LocalRegistry
from tests.support.bundles import MakeBundle
from tools.paths import state_folder

RegistryOf = Callable[..., LocalRegistry]


@pytest.fixture
def registry_of(empty_registry: Path) -> RegistryOf:
    """Makes a new registry in a folder, with these bundles as its versions."""

    def made(folder: Path, *bundles: Path) -> LocalRegistry:
        shutil.copytree(empty_registry, folder)
        registry = LocalRegistry(folder)
        for bundle in bundles:
            registry.register(bundle)
        return registry

    return made


@pytest.fixture
def saved(tmp_path: Path, bundle_of: MakeBundle, registry_of: RegistryOf) -> Path:
    """The export of an earlier stack's two versions."""
    earlier = registry_of(tmp_path / "earlier", bundle_of(1), bundle_of(2))
    export(earlier.list, earlier.fetch, tmp_path / "saved")
    shutil.rmtree(tmp_path / "earlier")
    return tmp_path / "saved"


def test_saved_versions_are_registered_after_those_that_are_there(
    saved: Path, tmp_path: Path, bundle_of: MakeBundle, registry_of: RegistryOf
) -> None:
    registry = registry_of(tmp_path / "new", bundle_of(3))
    registry.set_champion(1)
    numbers = restore(saved, registry.register_imported)
    assert {old: version.number for old, version in numbers.items()} == {1: 2, 2: 3}
    hashes = [version.bundle_hash for version in registry.list()]
    assert hashes == [checked_hash(bundle_of(seed)) for seed in (3, 1, 2)]
    assert registry.get_champion() == registry.get(1)


def test_no_export_takes_the_place_of_an_earlier_one(
    saved: Path, tmp_path: Path, bundle_of: MakeBundle, registry_of: RegistryOf
) -> None:
    """Both stacks had a version 1."""
    saved.with_name("saved-2").write_text("a file of this name")
    later = registry_of(tmp_path / "later", bundle_of(3))
    assert export(later.list, later.fetch, saved) == tmp_path / "saved-3"
    assert checked_hash(saved / "version-1") == checked_hash(bundle_of(1))
    assert checked_hash(tmp_path / "saved-3" / "version-1") == later.get(1).bundle_hash


@pytest.mark.parametrize("damage", ["changed", "missing", "exchanged"])
def test_nothing_is_imported_when_one_bundle_is_not_what_was_saved(
    saved: Path, tmp_path: Path, registry_of: RegistryOf, damage: str
) -> None:
    second = saved / "version-2"
    if damage == "changed":
        (second / "report.html").write_text("another")
    else:
        shutil.rmtree(second)
    if damage == "exchanged":
        shutil.copytree(saved / "version-1", second)
    registry = registry_of(tmp_path / "new")
    with pytest.raises(BadInputError, match="Nothing was imported"):
        restore(saved, registry.register_imported)
    assert registry.list() == []


@pytest.mark.parametrize("content", [None, "", "{}x", '[{"number": 1}]', "[1]"])
def test_a_folder_that_no_destroy_wrote_is_refused(
    tmp_path: Path, registry_of: RegistryOf, content: str | None
) -> None:
    if content is not None:
        (tmp_path / INDEX).write_text(content)
    with pytest.raises(BadInputError, match=r"versions\.json cannot be used.*destroy --keep-data"):
        restore(tmp_path, registry_of(tmp_path / "new").register_imported)


def test_the_command_imports_into_a_stack_that_is_up_and_once(
    saved: Path, tmp_path: Path, registry_of: RegistryOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    nowhere = CliRunner().invoke(app, ["import-models", str(saved)])
    assert isinstance(nowhere.exception, StackMissingError)
    registry = registry_of(state_folder("local") / "registry")
    for _ in range(2):
        done = CliRunner().invoke(app, ["import-models", str(saved), "--json"], catch_exceptions=False)
        assert json.loads(done.stdout) == {"imported": {"1": 1, "2": 2}}
    assert len(registry.list()) == 2
