"""Blobs, models and images, written and read by Microsoft's clients."""

import io
import os
import tarfile
from pathlib import Path

import pytest
import requests

from tests.simulation.clients.calls import NOBODY, SUBSCRIPTION
from tests.simulation.examples.azure import example
from tests.simulation.examples.names import DEPLOYER, GROUP, LAKE, PLAIN, REGISTRY
from tests.simulation.faults import FaultKind
from tests.simulation.resource_manager.azure_native import AzureNative
from tools import azurite


def test_reading_a_blob_needs_a_role(cloud: AzureNative) -> None:
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
    from azure.identity import AzureCliCredential
    from azure.storage.blob import BlobServiceClient

    account = cloud.world.get(LAKE)
    assert account is not None
    service = BlobServiceClient(account.outputs["primaryEndpoints"]["blob"], AzureCliCredential(), retry_total=0)
    content = os.urandom(9_000_000)
    service.get_blob_client("raw", "a b/part-0.tsv").upload_blob(content, overwrite=True, max_concurrency=4)
    assert service.get_blob_client("raw", "a b/part-0.tsv").download_blob().readall() == content
    assert [item.name for item in service.get_container_client("raw").list_blobs("a b/")] == ["a b/part-0.tsv"]
    with pytest.raises(ResourceNotFoundError):
        service.get_blob_client("nowhere", "x").upload_blob(b"x")
    cloud.world.set("caller", NOBODY)
    stranger = BlobServiceClient(account.outputs["primaryEndpoints"]["blob"], AzureCliCredential(), retry_total=0)
    with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
        stranger.get_blob_client("raw", "a b/part-0.tsv").download_blob()
    cloud.world.set("caller", DEPLOYER)


def test_the_blob_client_retries_a_503_and_leaves_a_429_to_its_caller(
    cloud: AzureNative,
) -> None:
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    from azure.core.exceptions import HttpResponseError
    from azure.identity import AzureCliCredential
    from azure.storage.blob import BlobServiceClient

    service = BlobServiceClient("https://lakeabc.blob.core.windows.net", AzureCliCredential(), initial_backoff=0)
    cloud.faults.order(r"^http blob PUT", kind=FaultKind.UNAVAILABLE)
    service.get_blob_client("raw", "again").upload_blob(b"x", overwrite=True)
    cloud.faults.order(r"^http blob PUT", kind=FaultKind.THROTTLED)
    with pytest.raises(HttpResponseError, match="TooManyRequests"):
        service.get_blob_client("raw", "again").upload_blob(b"x", overwrite=True)
    assert cloud.faults.pending() == 0


@pytest.mark.usefixtures("cloud")
def test_a_model_version_keeps_its_content_and_changes_its_tags() -> None:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Environment, Model
    from azure.core.exceptions import HttpResponseError
    from azure.identity import AzureCliCredential

    client = MLClient(AzureCliCredential(), SUBSCRIPTION, GROUP, "models", enable_telemetry=False)
    place = f"azureml://subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/workspaces/models/datastores/d/paths/ctr/1"
    model = client.models.create_or_update(
        Model(name="ctr", version="1", type="custom_model", path=place, tags={"a": "1"})
    )
    model.tags["champion"] = "true"
    client.models.create_or_update(model)
    assert client.models.get("ctr", "1").tags == {"a": "1", "champion": "true"}
    assert [item.version for item in client.models.list("ctr")] == ["1"]
    with pytest.raises(HttpResponseError, match="can't be changed"):
        client.models.create_or_update(Model(name="ctr", version="1", type="custom_model", path=f"{place}0"))
    image = "registryabc.azurecr.io/scoring@sha256:" + "0" * 64
    client.environments.create_or_update(Environment(name="scoring", version="1", image=image))
    assert client.environments.get("scoring", "1").image == image


def test_a_model_is_uploaded_from_a_folder_and_comes_back_the_same(cloud: AzureNative, tmp_path: Path) -> None:
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Model
    from azure.identity import AzureCliCredential

    kind = "azure-native:authorization:RoleAssignment"
    cloud.create(kind, example(kind) | {"scope": PLAIN, "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0044"})
    bundle = tmp_path / "bundle"
    (bundle / "counts").mkdir(parents=True)
    (bundle / "model.txt").write_text("tree")
    (bundle / "counts" / "all.parquet").write_bytes(b"1" * 1000)
    client = MLClient(AzureCliCredential(), SUBSCRIPTION, GROUP, "models", enable_telemetry=False)
    made = client.models.create_or_update(Model(name="uploaded", type="custom_model", path=str(bundle)))
    assert made.version == "1"
    client.models.download("uploaded", "1", download_path=str(tmp_path / "back"))
    back = tmp_path / "back" / "uploaded" / "bundle"
    assert (back / "model.txt").read_text() == "tree"
    assert (back / "counts" / "all.parquet").read_bytes() == b"1" * 1000


def context(files: dict[str, str]) -> bytes:
    """A build context."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_an_image_is_built_from_its_context_and_kept_by_its_digest(cloud: AzureNative, folder: Path) -> None:
    from azure.identity import AzureCliCredential
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
    from azure.mgmt.containerregistrytasks.models import DockerBuildRequest, PlatformProperties

    assert cloud.world.get(REGISTRY) is not None
    client = ContainerRegistryTasksMgmtClient(AzureCliCredential(), SUBSCRIPTION)
    place = client.registries.get_build_source_upload_url(GROUP, "registryabc")
    assert place.upload_url is not None
    files = {"Dockerfile": "FROM scratch", "app/main.py": "print(1)"}
    requests.put(place.upload_url, data=context(files), timeout=10).raise_for_status()
    request = DockerBuildRequest(
        docker_file_path="Dockerfile",
        image_names=["scoring:abc"],
        source_location=place.relative_path,
        is_push_enabled=True,
        platform=PlatformProperties(os="Linux", architecture="amd64"),
    )
    started = client.registries.schedule_run(GROUP, "registryabc", request)
    assert started.properties is not None
    run = client.runs.get(GROUP, "registryabc", started.properties.run_id or "")
    assert run.properties is not None
    assert run.properties.status == "Succeeded"
    assert run.properties.output_images is not None
    digest = run.properties.output_images[0].digest or ""
    assert (folder / "world" / "images" / digest.removeprefix("sha256:") / "app" / "main.py").read_text() == "print(1)"
    cloud.world.set("build_outcomes", ["fail"])
    failed = client.registries.schedule_run(GROUP, "registryabc", request)
    assert failed.properties is not None
    shown = client.runs.get(GROUP, "registryabc", failed.properties.run_id or "")
    assert shown.properties is not None
    assert shown.properties.status == "Failed"
    link = client.runs.get_log_sas_url(GROUP, "registryabc", failed.properties.run_id or "").log_link
    assert "the test ordered it" in requests.get(link or "", timeout=10).text
