"""The step that trains on Databricks: runs once per model, is found again, can be interrupted, reports failures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_clients.credentials import databricks
from azure_clients.databricks_runs import RunFailedError, token
from azure_clients.model_versions import Earlier
from azure_clients.retries import StepCancelledError
from features.bundle import BundleError, checked_hash
from steps.training_run import RESULT, TrainingResultError, TrainingRunOnAzure, run_id
from tests.simulation.databricks import JOB
from tests.simulation.fakes.cluster import FAILED
from tests.simulation.fakes.runs import LibraryError, Run, TaskFailedError
from tests.simulation.faults import FaultKind
from tests.steps.provider.azure.conftest import BLOB, MACHINE_LEARNING, TENANT, VOLUMES, Cloud, container, upload
from tests.steps.provider.steps import STACK, Recorder, Take, state
from tests.support.bundles import MakeBundle
from tests.support.services import wait_until
from training.parameters import GateParameters, TrainingParameters

DATA = "abfss://raw@lakeabc.dfs.core.windows.net/files/" + "a" * 64


def in_container(path: str) -> str:
    """Where a path of the volume for models lies in its container."""
    return "files/" + path.removeprefix(f"{VOLUMES}/models/")


class Training:
    """A task that writes a finished bundle to the lake, like the job, and keeps the requests it got."""

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle
        self.requests: list[dict[str, Any]] = []

    def __call__(self, run: Run) -> str:
        request = json.loads(run.parameters["request"])
        self.requests.append(request)
        path = in_container(request["output"])
        upload(self.bundle, "models", f"{path}/bundle")
        result = {
            "bundle": "/local_disk0/bundle",
            "report": "/local_disk0/bundle/report.html",
            "bundle_hash": checked_hash(self.bundle),
            "verdict": {"accepted": True, "reasons": []},
            "metrics": {"auc": 0.75},
        }
        container("models").upload_blob(f"{path}/{RESULT}", json.dumps(result).encode(), overwrite=True)
        return "trained"


@pytest.fixture
def training(cloud: Cloud, bundle_of: MakeBundle) -> Iterator[Training]:
    task = Training(bundle_of(1))
    cloud.task.work = task
    yield task
    cloud.world.set("run_outcomes", [])


def inputs(cloud: Cloud, seed: int) -> dict[str, Any]:
    workspace = cloud.workspace
    return {
        **MACHINE_LEARNING,
        "registry": "ctr",
        "blob_endpoint": BLOB,
        "databricks_url": f"https://{workspace['workspace_host']}",
        "databricks_workspace_id": workspace["workspace_id"],
        "job_id": cloud.world.all(JOB)[0].id.rpartition("/")[2],
        "dataset": {"kind": "films", "users": 100, "films": 50, "seed": 1},
        "location": DATA,
        "manifest_hash": "a" * 64,
        "parameters": TrainingParameters(seed=seed).model_dump(mode="json"),
        "gate": GateParameters().model_dump(mode="json"),
        "code_hash": "b" * 64,
        "libraries": {"lightgbm": "1"},
        "volumes": VOLUMES,
    }


def test_a_run_brings_its_bundle_and_shows_where_it_is(
    cloud: Cloud, tmp_path: Path, take: Take, recorder: Recorder, training: Training
) -> None:
    for nth, kind in enumerate([FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.EXPIRED], start=1):
        cloud.arm.faults.order("^http databricks GET .*/runs/get$", nth=nth, kind=kind)
    cloud.arm.faults.order("^http databricks POST .*/run-now", kind=FaultKind.UNAVAILABLE)
    created = take(TrainingRunOnAzure, inputs(cloud, 1))
    assert created.outputs.bundle_hash == checked_hash(tmp_path / STACK / created.outputs.bundle)
    assert created.outputs.bundle_url.endswith(f"/runs/{created.id}/bundle")
    assert created.outputs.run_url.startswith("https://adb-")
    assert any(line.startswith("training run ") and "https://adb-" in line for line in recorder.lines)
    (request,) = training.requests
    wanted = {
        "data": f"{VOLUMES}/raw/{'a' * 64}",
        "output": f"{VOLUMES}/models/runs/{created.id}",
        "work": f"{VOLUMES}/work",
        "snapshots": f"{VOLUMES}/snapshots/served",
        "forgotten": f"{VOLUMES}/snapshots/served/forgotten.json",
        "manifest_hash": "a" * 64,
        "champion": None,
        "fetch": True,
        "dataset": {"kind": "films", "users": 100, "films": 50, "seed": 1},
        "training": TrainingParameters(seed=1).model_dump(mode="json"),
    }
    assert {name: request[name] for name in wanted} == wanted


def test_a_run_that_succeeded_is_used_again_even_on_another_machine(
    cloud: Cloud, tmp_path: Path, take: Take, training: Training
) -> None:
    first = take.at(tmp_path / "one")(TrainingRunOnAzure, inputs(cloud, 2))
    second = take.at(tmp_path / "two")(TrainingRunOnAzure, inputs(cloud, 2))
    assert len(training.requests) == 1
    assert second.outputs.bundle_hash == first.outputs.bundle_hash
    assert (tmp_path / "two" / STACK / second.outputs.bundle).is_dir()


def test_a_failed_run_says_why_and_the_next_up_tries_again(cloud: Cloud, take: Take, training: Training) -> None:
    def fail(run: Run) -> str:
        raise TaskFailedError(f"Traceback ...\nerror: The label has one class only, in run {run.number}.")

    cloud.task.work = fail
    sentences = (
        r"^The training run failed: The label has one class only.*https://adb-.*\n"
        r".*were not created or changed: fix the cause, then run `up` again\.$"
    )
    with pytest.raises(RunFailedError, match=sentences):
        take(TrainingRunOnAzure, inputs(cloud, 3))
    cloud.task.work = training
    assert take(TrainingRunOnAzure, inputs(cloud, 3)).outputs.metrics == {"auc": 0.75}


def test_a_library_that_is_not_there_is_named_and_the_next_up_tries_again(
    cloud: Cloud, take: Take, training: Training
) -> None:
    coordinates = "com.microsoft.azure:synapseml_2.12:0.9.3"
    library = f'maven {{ coordinates: "{coordinates}" }}'
    cause = f"java.lang.RuntimeException: unresolved dependency: {coordinates}: not found"

    def install(_: Run) -> str:
        raise LibraryError(FAILED.format(library=library, reason=f"Library resolution failed. Cause: {cause}"))

    cloud.task.work = install
    with pytest.raises(RunFailedError) as raised:
        take(TrainingRunOnAzure, inputs(cloud, 8))
    said, _ = str(raised.value).splitlines()
    assert said.startswith(f"The training run failed: Databricks can't install the library {library}: ")
    assert f"unresolved dependency: {coordinates}: not found. Run `up --refresh`, which uploads again what is" in said
    cloud.task.work = training
    assert take(TrainingRunOnAzure, inputs(cloud, 8)).outputs.metrics == {"auc": 0.75}


def test_a_library_that_may_not_be_read_is_not_a_missing_one(cloud: Cloud, take: Take) -> None:
    wheel = f"{VOLUMES}/libraries/numpy.whl"
    reason = f"PERMISSION_DENIED: no READ VOLUME: {wheel}."

    def install(_: Run) -> str:
        raise LibraryError(FAILED.format(library=f'whl: "{wheel}"', reason=reason))

    cloud.task.work = install
    with pytest.raises(RunFailedError) as raised:
        take(TrainingRunOnAzure, inputs(cloud, 9))
    said = str(raised.value)
    assert f"can't install the library whl: \"{wheel}\". The job's identity can't read the volume {VOLUMES}/" in said
    assert "Run `GRANT READ VOLUME ON VOLUME lake_dev.training.libraries TO ...` in Databricks" in said
    assert f"{wheel}. The stack grants this" in said, "one full stop"
    assert "--refresh" not in said, "what is there need not be uploaded again"


def test_a_run_that_left_nothing_where_it_was_told_to_is_not_a_success(cloud: Cloud, take: Take) -> None:
    cloud.task.work = lambda _: "trained"
    with pytest.raises(TrainingResultError, match=r"contains no result\.json\. Check that the volume `models`"):
        take(TrainingRunOnAzure, inputs(cloud, 11))


def test_a_run_that_is_still_going_is_taken_up_again(
    cloud: Cloud, take: Take, recorder: Recorder, training: Training
) -> None:
    given = inputs(cloud, 5)
    identity = run_id(TrainingRunOnAzure().parse(given), Earlier(champion=None, best=None))

    def slow(run: Run) -> str:
        wait_until(lambda: any("https://adb-" in line for line in recorder.lines))  # the step follows this run
        return training(run)

    cloud.task.work = slow
    client = databricks(TENANT, given["databricks_url"], given["databricks_workspace_id"])
    output = f"{VOLUMES}/models/runs/{identity}"
    parameters = {"request": json.dumps({"output": output})}
    job = int(given["job_id"])
    client.jobs.run_now(job, job_parameters=parameters, idempotency_token=token(identity, job, 1))
    take(TrainingRunOnAzure, given)
    assert len(training.requests) == 1


def test_an_interruption_cancels_the_run(cloud: Cloud, take: Take, recorder: Recorder, training: Training) -> None:
    cloud.world.set("run_outcomes", ["hang"])
    interrupt = recorder.lines.append

    class Interrupting(list[str]):
        """Lines of a log that interrupts the run as soon as it is reported to be running."""

        def append(self, line: str) -> None:
            interrupt(line)
            if "In run" in line:
                recorder.cancelled.set()

    recorder.lines = Interrupting()
    with pytest.raises(StepCancelledError):
        take(TrainingRunOnAzure, inputs(cloud, 6))
    assert any(call.id.endswith("/runs/cancel") for call in cloud.arm.faults.calls())
    assert not training.requests


def test_a_bundle_that_was_altered_in_the_lake_is_refused(cloud: Cloud, take: Take, training: Training) -> None:
    def alter(run: Run) -> str:
        training(run)
        path = in_container(training.requests[-1]["output"])
        container("models").upload_blob(f"{path}/bundle/model.txt", b"tree", overwrite=True)
        return "trained"

    cloud.task.work = alter
    with pytest.raises(BundleError, match=r"model\.txt"):
        take(TrainingRunOnAzure, inputs(cloud, 7))


@pytest.mark.usefixtures("training")
def test_what_is_missing_here_is_brought_again_and_what_is_missing_there_is_gone(
    cloud: Cloud, tmp_path: Path, take: Take
) -> None:
    created = take(TrainingRunOnAzure, inputs(cloud, 8))
    created.delete()
    assert not (tmp_path / STACK / created.outputs.bundle).exists()
    assert created.read() is not None
    assert (tmp_path / STACK / created.outputs.bundle).is_dir()
    made = state(created.inputs, created.created)
    earlier = {**made, "parameters": made["parameters"] | {"a_setting_that_went": 1}}
    assert created.step.read(created.id, earlier, created.recorder.context) is not None
    container("models").delete_blob(f"files/runs/{created.id}/{RESULT}")
    assert created.read() is None
