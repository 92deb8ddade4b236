"""Models are copied to a second region as they are registered, and restored from there when the first one is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_clients.credentials import container
from azure_clients.retries import AzureRefusedError
from features.bundle import checked_hash
from personalize.clients import azure_models
from personalize.clients.azure_models import AzureVersions
from personalize.teardown.restore import restore
from steps.shared.model_versions import INDEX
from tests.simulation.examples.azure import example
from tests.simulation.faults import FaultKind
from tests.steps.provider.azure.conftest import BLOB, TENANT, Cloud
from tests.steps.provider.azure.test_cli_models import SETTINGS, ExampleNames
from tests.steps.provider.azure.test_models import candidate, step
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create
from tests.support.bundles import MakeBundle
from tools import azurite

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"
ROLE = "azure-native:authorization:RoleAssignment"
SECOND = "https://copyabc.blob.core.windows.net/"


@pytest.fixture(autouse=True)
def _second_region(cloud: Cloud) -> Iterator[None]:
    """An account in another region, to which the deployer has the role."""
    cloud.world.set("ml_assets", {})
    inside = {"accountName": "copyabc", "location": "northeurope", "isHnsEnabled": False}
    account = cloud.arm.create(ACCOUNT, example(ACCOUNT) | inside)
    made = [
        account,
        cloud.arm.create(CONTAINER, example(CONTAINER) | {"accountName": "copyabc", "containerName": "models"}),
        cloud.arm.create(
            ROLE,
            example(ROLE) | {"scope": account.id, "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0052"},
        ),
    ]
    yield
    for record in reversed(made):
        cloud.arm.delete(record.type, record.id)
    cloud.world.set("ml_assets", {})


def copied(tmp_path: Path, bundle: Path) -> dict[str, Any]:
    return candidate(tmp_path, bundle) | {"copy_endpoint": SECOND}


def download(folder: Path) -> None:
    """What `az storage blob download-batch` does."""
    models = container(TENANT, SECOND, "models")
    for name in models.list_blob_names():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(models.download_blob(name).readall())


@pytest.mark.full
def test_every_model_is_restored_from_the_second_region_alone(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the end of the runbook: the new stack has trained a model, and serves an old one in its place."""
    monkeypatch.setattr(azure_models, "names_of", ExampleNames)
    for seed in (1, 2):
        create(step(tmp_path / str(seed)), copied(tmp_path / str(seed), bundle_of(seed)), recorder)
    cloud.world.set("ml_assets", {})  # the region is lost, and with it the registry and the lake
    lake = container(TENANT, BLOB, "models")
    for name in list(lake.list_blob_names()):
        lake.delete_blob(name)
    download(tmp_path / "saved")

    new = tmp_path / "new"
    create(step(new), candidate(new, bundle_of(3)), recorder)
    versions = AzureVersions(STACK, SETTINGS)
    found = restore(tmp_path / "saved" / "files" / "versions", versions.register)
    assert {old: version.number for old, version in found.items()} == {1: 2, 2: 3}
    assert [one.bundle_hash for one in versions.list()] == [checked_hash(bundle_of(seed)) for seed in (3, 1, 2)]
    served = create(step(new), candidate(new, bundle_of(3), requested="3"), Recorder())
    assert (served.outputs.version, served.outputs.served_hash) == (3, checked_hash(bundle_of(2)))
    versions.fetch(versions.get(3), tmp_path / "served")
    assert checked_hash(tmp_path / "served") == checked_hash(bundle_of(2))


def test_a_copy_that_was_interrupted_goes_on_and_lists_a_version_once(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    wanted = copied(tmp_path, bundle_of(1))
    cloud.arm.faults.order(f"^http blob PUT .*{INDEX}", kind=FaultKind.REFUSED)
    with pytest.raises(AzureRefusedError):
        create(step(tmp_path), wanted, recorder)
    for _ in range(2):
        assert create(step(tmp_path), wanted, recorder).id == "1"
    download(tmp_path / "saved")
    restored = restore(tmp_path / "saved" / "files" / "versions", lambda bundle: bundle)  # type: ignore[arg-type, return-value]  # only compared
    assert list(restored) == [1]
