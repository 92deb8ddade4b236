"""The upload of data to the lake: complete, done once, retried when storage is busy, and stopped on request."""

from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from azure_clients.credentials import container
from azure_clients.retries import AzureRefusedError, Timeout
from steps.data_upload import COMPLETE, OWNER, DataUploadOnAzure
from steps.datasets import located
from steps.lake import SHA256
from steps.step import StepCancelledError
from tests.simulation.faults import FaultKind
from tests.steps.provider.azure.conftest import AZURE, BLOB, NOBODY, TENANT, Cloud
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create, state
from tools import azurite
from training.datasets import describe
from training.parameters import TablesDataset

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
VOLUMES = "/Volumes/lake_dev/training"


def inputs(digit: str, **dataset: Any) -> dict[str, Any]:
    described = dataset or {"kind": "films", "users": 100, "films": 50, "seed": 1}
    return {
        **AZURE,
        "registry": "ctr",
        "blob_endpoint": BLOB,
        "dataset": described,
        "manifest_hash": digit * 64,
        "volumes": VOLUMES,
    }


def step(tmp_path: Path, seconds: float = 120) -> DataUploadOnAzure:
    return DataUploadOnAzure(lambda stack: tmp_path / stack, Timeout(seconds=seconds, pause=0.05))


def lake() -> ContainerClient:
    return container(TENANT, BLOB, "raw")


def names(folder: str) -> list[str]:
    """What is in the folder with this name, or of this digit 64 times."""
    name = folder * 64 if len(folder) == 1 else folder
    return [blob.name.split("/", 2)[2] for blob in lake().list_blobs(name_starts_with=f"files/{name}")]


def test_the_dataset_comes_whole_with_its_checksums_and_goes_again(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    for nth, kind in enumerate([FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.EXPIRED], start=1):
        cloud.arm.faults.order("^http blob PUT .*views", nth=nth, kind=kind)
    created = create(step(tmp_path), inputs("1"), recorder)
    assert created.outputs.location == f"abfss://raw@lakeabc.dfs.core.windows.net/files/{'1' * 64}"
    assert {"views.csv", "users.csv", "films.csv", COMPLETE, OWNER} < set(names("1"))
    assert len(lake().get_blob_client(f"files/{'1' * 64}/views.csv").get_blob_properties().metadata[SHA256]) == 64
    assert not list((tmp_path / STACK / "lake" / "raw").iterdir())
    known = state(inputs("1"), created)
    assert step(tmp_path).read(created.id, known, recorder.context) is not None
    step(tmp_path).delete(created.id, known, recorder.context)
    assert names("1") == []
    assert step(tmp_path).read(created.id, known, recorder.context) is None


def test_tables_come_with_their_description(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    del cloud
    dataset = TablesDataset(kind="tables", spec=Path("examples/tables/dataset.yaml"))
    planned = describe(located(dataset)).hash
    given = inputs("b", **dataset.model_dump(mode="json")) | {"manifest_hash": planned}
    create(step(tmp_path), given, recorder)
    assert {"interactions.csv", "users.csv", "items.csv", "dataset.yaml", COMPLETE} < set(names(planned))


def test_data_that_is_there_is_not_sent_again(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    create(step(tmp_path), inputs("2"), recorder)
    last = cloud.arm.faults.calls()[-1].number
    create(step(tmp_path), inputs("2"), recorder)
    writes = [call.id for call in cloud.arm.faults.calls(last) if call.id.startswith("PUT")]
    assert writes == [f"PUT /raw/files/{'2' * 64}/{OWNER}"]


def test_an_interrupted_upload_goes_on_with_the_files_that_are_missing(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    copy = tmp_path / STACK / "lake" / "raw" / ("3" * 64)
    for day in range(6):
        (copy / f"dt={day}").mkdir(parents=True)
        (copy / f"dt={day}" / "part-00000.tsv").write_text(f"row {day}\n")
    cloud.arm.faults.order(r"^http blob PUT .*dt=5", kind=FaultKind.REFUSED)
    with pytest.raises(AzureRefusedError, match="write to the lake"):
        create(step(tmp_path), inputs("3"), recorder)
    sent = [name for name in names("3") if name.startswith("dt=")]
    assert 0 < len(sent) < 6
    last = cloud.arm.faults.calls()[-1].number
    create(step(tmp_path), inputs("3"), recorder)
    again = [call.id for call in cloud.arm.faults.calls(last) if call.id.startswith("PUT") and "dt=" in call.id]
    assert len(again) == 6 - len(sent)
    assert len([name for name in names("3") if name.startswith("dt=")]) == 6


def test_an_interruption_ends_the_upload_and_leaves_it_incomplete(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    del cloud
    recorder.cancelled.set()
    with pytest.raises(StepCancelledError):
        create(step(tmp_path), inputs("4"), recorder)
    assert COMPLETE not in names("4")


def test_an_old_resource_does_not_delete_data_that_a_new_one_has_adopted(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    del cloud
    old = state(inputs("5"), create(step(tmp_path), inputs("5"), recorder))
    create(step(tmp_path), inputs("5"), recorder)
    step(tmp_path).delete("5" * 64, old, recorder.context)
    assert COMPLETE in names("5")


def test_rows_on_the_web_are_left_to_the_job(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    del cloud
    created = create(step(tmp_path), inputs("6", kind="criteo", path="full"), recorder)
    assert created.outputs.location.endswith("6" * 64)
    assert names("6") == [OWNER]


def test_a_missing_role_is_reported_after_the_wait(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    cloud.sign_in(NOBODY)
    with pytest.raises(AzureRefusedError, match=r"azure\.deployers"):
        create(step(tmp_path, seconds=0.5), inputs("7"), recorder)
