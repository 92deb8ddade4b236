"""Models are copied to a second region as they are registered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_clients.credentials import container
from azure_clients.retries import AzureRefusedError
from personalize.teardown.restore import restore
from steps.shared.model_versions import INDEX
from tests.simulation.examples.azure import example
from tests.simulation.faults import FaultKind
from tests.steps.provider.azure.conftest import TENANT, Cloud
from tests.steps.provider.azure.test_models import candidate, step
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import create
from tests.support.blobs import download_batch
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


def test_a_copy_that_was_interrupted_goes_on_and_lists_a_version_once(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    wanted = candidate(tmp_path, bundle_of(1)) | {"copy_endpoint": SECOND}
    cloud.arm.faults.order(f"^http blob PUT .*{INDEX}", kind=FaultKind.REFUSED)
    with pytest.raises(AzureRefusedError):
        create(step(tmp_path), wanted, recorder)
    for _ in range(2):
        assert create(step(tmp_path), wanted, recorder).id == "1"
    download_batch(container(TENANT, SECOND, "models"), tmp_path / "saved")
    restored = restore(tmp_path / "saved" / "files" / "versions", lambda bundle: bundle)  # type: ignore[arg-type, return-value]  # only compared
    assert list(restored) == [1]
