"""The local registry: versions, the champion, and complete bundles."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from azure_clients.model_versions import MODEL, tags_of
from features.bundle import METADATA, Bundle, BundleError, seal
from features.errors import PersonalizationError
from steps.registry_here import CHAMPION, DATABASE, LocalRegistry, RegistryError, bundle_folder
from tests.support.bundles import MakeBundle


@pytest.fixture
def registry(empty_registry: Path, tmp_path: Path) -> LocalRegistry:
    shutil.copytree(empty_registry, tmp_path / "registry")
    return LocalRegistry(tmp_path / "registry")


def test_what_is_read_from_the_tables_is_what_mlflow_reads(
    registry: LocalRegistry, bundle_of: MakeBundle, tmp_path: Path
) -> None:
    for seed in (1, 2, 3):
        registry.register(bundle_of(seed))
    registry.set_champion(2)
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - the import would delay every process of the tests

    address = f"sqlite:///{tmp_path / 'registry' / DATABASE}"
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    entries = {int(entry.version): entry for entry in client.search_model_versions(f"name='{MODEL}'")}
    found = registry.list()
    assert [version.number for version in found] == sorted(entries) == [1, 2, 3]
    for version in found:
        entry = entries[version.number]
        assert version.registered.timestamp() * 1000 == pytest.approx(entry.creation_timestamp)
        assert (version.bundle_hash, version.metrics) == (entry.tags["bundle_hash"], json.loads(entry.tags["metrics"]))
    champion = int(client.get_model_version_by_alias(MODEL, CHAMPION).version)
    assert [version.number for version in found if version.champion] == [champion] == [2]


def test_versions_and_champion_are_written_as_mlflow_writes_them(
    registry: LocalRegistry, empty_registry: Path, bundle_of: MakeBundle, tmp_path: Path
) -> None:
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - the import would delay every process of the tests

    shutil.copytree(empty_registry, tmp_path / "theirs")
    address = f"sqlite:///{tmp_path / 'theirs' / DATABASE}"
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    for number in (1, 2):
        version = registry.register(bundle_of(number))
        registry.set_champion(number)
        tags = tags_of(version.bundle_hash, Bundle.load(bundle_of(number)).metadata)
        client.create_model_version(MODEL, source=registry.bundle(version.bundle_hash).as_uri(), tags=tags)
        client.set_registered_model_alias(MODEL, CHAMPION, str(number))
    ours, theirs = rows(tmp_path / "registry" / DATABASE), rows(tmp_path / "theirs" / DATABASE)
    assert ours == theirs
    assert len(ours["model_versions"]) == 2


def rows(database: Path) -> dict[str, set[tuple[tuple[str, object], ...]]]:
    """What a registry's tables hold, without times."""
    tables = "registered_models", "model_versions", "model_version_tags", "registered_model_aliases"
    found = {}
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        for table in tables:
            lines = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - named above
            found[table] = {tuple((name, cell) for name, cell in line.items() if "time" not in name) for line in lines}
    return found


def test_who_registers_or_moves_the_champion_waits_for_others_who_do(
    registry: LocalRegistry, bundle_of: MakeBundle, tmp_path: Path
) -> None:
    registry.register(bundle_of(1))
    bundle = bundle_of(2)
    for work in (lambda: registry.register(bundle), lambda: registry.set_champion(1)):
        with ThreadPoolExecutor(1) as pool, FileLock(tmp_path / "registry" / "lock"):
            working = pool.submit(work)
            with pytest.raises(TimeoutError):
                working.result(1)
        working.result()


def test_an_altered_bundle_is_never_registered(registry: LocalRegistry, bundle_of: MakeBundle, tmp_path: Path) -> None:
    altered = shutil.copytree(bundle_of(1), tmp_path / "altered")
    content = (altered / METADATA).read_bytes()
    (altered / METADATA).write_bytes(content.replace(b"Made for a test.", b"Made for a jest."))
    with pytest.raises(BundleError, match=r"metadata\.json"):
        registry.register(altered)
    assert registry.list() == []


@pytest.mark.parametrize("ask", [LocalRegistry.check, LocalRegistry.list, LocalRegistry.get_champion])
def test_a_damaged_file_is_one_sentence_with_the_file(tmp_path: Path, ask: Callable[[LocalRegistry], object]) -> None:
    (tmp_path / DATABASE).write_bytes(b"damaged " * 512)
    with pytest.raises(RegistryError) as caught:
        ask(LocalRegistry(tmp_path))
    assert str(tmp_path / DATABASE) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_full_disk_is_not_taken_for_a_damaged_registry(
    registry: LocalRegistry, bundle_of: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bundle_of(1)
    connect = sqlite3.connect

    def on_a_full_disk(database: Path) -> sqlite3.Connection:
        connection = connect(database)
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the file's present size instead
        return connection

    def register_many() -> None:
        for number in range(50):
            copied = shutil.copytree(bundle, tmp_path / str(number))
            metadata = json.loads((copied / METADATA).read_bytes())
            (copied / METADATA).write_text(json.dumps(metadata | {"manifest_hash": f"{number:064}"}))
            seal(copied)
            registry.register(copied)

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", on_a_full_disk)
        with pytest.raises(RegistryError, match=r"disk is full.* stays as it is\. Free some space") as caught:
            register_many()
    assert "move it away" not in str(caught.value)
    assert all(version.accepted for version in registry.list())


@pytest.mark.parametrize("tag", ["", "..", "../../../other", "/srv/other"])
def test_a_registered_hash_names_no_folder_elsewhere(tmp_path: Path, tag: str) -> None:
    """`bring` removes what is there before it downloads."""
    with pytest.raises(PersonalizationError, match="bundle's hash"):
        bundle_folder(tmp_path, tag)


def test_half_of_a_deleted_registry_is_none(registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.exists
    monkeypatch.setattr("steps.registry_here.shutil.rmtree", lambda *_, **__: None)  # killed before the first file
    registry.delete()
    assert not registry.exists
