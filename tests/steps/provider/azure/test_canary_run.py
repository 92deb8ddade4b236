"""The small training run before anything expensive: what it requests, what it leaves, and how it reports failure."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azure_clients.credentials import container
from azure_clients.retries import Timeout
from steps.azure.canary_run import CanaryFailedError, CanaryRun
from steps.azure.stores.trial_registration import RegistrationRefusedError
from steps.shared.run_folder import RESULT
from tests.simulation.fakes.libraries import FAILED
from tests.simulation.fakes.runs import LibraryError, Run, TaskFailedError
from tests.simulation.faults import FaultKind
from tests.simulation.services.jobs import JOB
from tests.steps.provider.azure.conftest import BLOB, MACHINE_LEARNING, TENANT, Cloud
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import create
from tools import azurite

VOLUMES = "/Volumes/lake_dev/training"

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")


def inputs(cloud: Cloud, **tried: str) -> dict[str, Any]:
    return {
        **MACHINE_LEARNING,
        "blob_endpoint": BLOB,
        "databricks_url": f"https://{cloud.workspace['workspace_host']}",
        "databricks_workspace_id": cloud.workspace["workspace_id"],
        "job_id": cloud.world.all(JOB)[0].id.rpartition("/")[2],
        "volumes": VOLUMES,
        "fit": "native",
        "tried": {"wheel": "1", **tried},
    }


def step(tmp_path: Path) -> CanaryRun:
    return CanaryRun(lambda stack: tmp_path / stack, Timeout(seconds=20, pause=0.1))


def in_lake(folder: str) -> list[str]:
    """Names of the blobs below a folder of a volume."""
    name, _, path = folder.removeprefix(f"{VOLUMES}/").partition("/")
    return [blob.name for blob in container(TENANT, BLOB, name).list_blobs(name_starts_with=f"files/{path}")]


class Training:
    """A task that reads its rows and writes a result, like the job, and a file where snapshots would be."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.rows: list[list[str]] = []

    def __call__(self, run: Run) -> str:
        request = json.loads(run.parameters["request"])
        self.requests.append(request)
        self.rows.append(in_lake(request["data"]))
        for folder in filter(None, (request["output"], request["snapshots"])):
            volume, _, path = folder.removeprefix(f"{VOLUMES}/").partition("/")
            container(TENANT, BLOB, volume).upload_blob(f"files/{path}/{RESULT}", b"{}", overwrite=True)
        return "trained"


def test_it_trains_on_a_thousand_rows_that_lie_in_the_lake_and_leaves_none_of_them(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    task = cloud.task.work = Training()
    created = create(step(tmp_path), inputs(cloud, case="trains"), recorder)
    assert created.outputs.canary_url.startswith("https://adb-")
    (request,) = task.requests
    assert request["dataset"]["rows"] == 1000
    assert request["training"]["engine"] == "spark"
    assert request["training"]["fit"] == "native"
    assert request["canary"] is True
    assert request["data"].startswith(f"{VOLUMES}/raw/canary/")
    assert request["output"].startswith(f"{VOLUMES}/models/canary/")
    assert request["work"] == f"{VOLUMES}/work"
    assert (request["snapshots"] or "").startswith(f"{VOLUMES}/snapshots/canary/"), "not the one that the pods follow"
    assert request["fetch"] is False
    assert task.rows != [[]]
    assert [in_lake(request[folder]) for folder in ("data", "output", "snapshots")] == [[], [], []]
    assert any(line.startswith("canary run ") and "https://adb-" in line for line in recorder.lines)


def test_a_model_is_registered_before_anything_is_paid_for(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    cloud.world.set("ml_assets", {})
    task = cloud.task.work = Training()
    cloud.arm.faults.order("^http management PUT .*/models/", kind=FaultKind.REFUSED)
    with pytest.raises(RegistrationRefusedError, match=r"no cluster was started\. .*, then run `up` again\.$"):
        create(step(tmp_path), inputs(cloud, case="registers"), recorder)
    assert task.requests == []
    create(step(tmp_path), inputs(cloud, case="registers"), recorder)
    [(key, trial)] = cloud.world.setting("ml_assets").items()
    assert key.endswith("/models/ctr-trial/1")
    assert trial["properties"]["isArchived"] is True
    assert trial["properties"]["tags"]["champion"] == "former", "a registered version's tag can be changed"
    create(step(tmp_path), inputs(cloud, case="registers again"), recorder)
    assert cloud.world.setting("ml_assets") == {key: trial}


def test_a_tag_that_may_not_be_changed_is_asked_for_again(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    cloud.world.set("ml_assets", {})
    task = cloud.task.work = Training()
    cloud.arm.faults.order("^http management PUT .*/models/", nth=2, kind=FaultKind.REFUSED)
    with pytest.raises(RegistrationRefusedError):
        create(step(tmp_path), inputs(cloud, case="tags"), recorder)
    assert task.requests == []
    create(step(tmp_path), inputs(cloud, case="tags"), recorder)
    [trial] = cloud.world.setting("ml_assets").values()
    assert trial["properties"]["tags"]["champion"] == "former"
    assert trial["properties"]["isArchived"] is True


def raising(text: str) -> Callable[[Run], str]:
    def fail(_: Run) -> str:
        raise TaskFailedError(text)

    return fail


def test_a_wheel_that_cannot_be_imported_is_told_in_a_sentence(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    cloud.task.work = raising("Traceback ...\n  File \"x\"\nImportError: cannot import name 'Sentinel'\n")
    with pytest.raises(CanaryFailedError) as raised:
        create(step(tmp_path), inputs(cloud, case="broken"), recorder)
    said = str(raised.value)
    assert said.startswith("The canary run failed: ImportError: cannot import name 'Sentinel'. The run is https://adb-")
    assert "Traceback" not in said
    assert "were not created or changed" in said


def test_a_library_that_may_not_be_read_is_no_missing_one(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    wheel = f"{VOLUMES}/libraries/numpy.whl"
    reason = f"PERMISSION_DENIED: no READ VOLUME: {wheel}."

    def install(_: Run) -> str:
        raise LibraryError(FAILED.format(library=f'whl: "{wheel}"', reason=reason))

    cloud.task.work = install
    with pytest.raises(CanaryFailedError) as raised:
        create(step(tmp_path), inputs(cloud, case="unread"), recorder)
    said = str(raised.value)
    assert f"can't install the library whl: \"{wheel}\". The job's identity can't read the volume {VOLUMES}/" in said
    assert "Run `GRANT READ VOLUME ON VOLUME lake_dev.training.libraries TO ...` in Databricks" in said
    assert f"{wheel}. The stack grants this" in said, "one full stop"
    assert "--refresh" not in said, "what is there need not be uploaded again"


def test_a_run_that_left_nothing_where_it_was_told_to_is_no_success(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    cloud.task.work = lambda _: "trained"
    with pytest.raises(CanaryFailedError, match=r"contains no result\.json"):
        create(step(tmp_path), inputs(cloud, case="elsewhere"), recorder)


def test_after_a_failure_it_runs_again(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    cloud.task.work = raising("error: no rows")
    with pytest.raises(CanaryFailedError, match="no rows"):
        create(step(tmp_path), inputs(cloud, case="again"), recorder)
    task = cloud.task.work = Training()
    create(step(tmp_path), inputs(cloud, case="again"), recorder)
    assert len(task.requests) == 1


def test_another_wheel_needs_another_run(cloud: Cloud, tmp_path: Path) -> None:
    before, after = inputs(cloud, case="one"), inputs(cloud, case="two")
    difference = step(tmp_path).diff(before, after)
    assert difference.replaces == {"tried"}
