"""`recommend --all-users --on-databricks`: one run at a time, followed, cancelled, and repeated for what is missing.

`tests/simulation/test_batch_job.py` runs the real wheel.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import typer

from azure_clients.credentials import container
from batch import recommendations
from batch.recommendations import NoRecommendationsError, OutputError
from batch.request import RESULT
from features.bundle import checked_hash
from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from personalize.clients import azure_models, batch_run, job_runs
from personalize.commands import recommending
from personalize.commands.recommending import recommend
from personalize.errors import StackMissingError
from steps.azure.champion import Champion
from steps.azure.databricks_run import RunFailedError
from steps.azure.model_version import ModelVersion
from steps.azure.one_time_run import OneTimeRuns, RunBusyError
from steps.azure.stores.snapshots import LakeSnapshots
from steps.descriptions.serving_settings import ScoringSettings
from tests.simulation.examples.databricks import APPLICATION
from tests.simulation.fakes.runs import Run, TaskFailedError
from tests.simulation.services.jobs import JOB
from tests.steps.provider.azure.batch_job import CATALOG, VOLUMES, Job
from tests.steps.provider.azure.conftest import BLOB, MACHINE_LEARNING, TENANT, Cloud
from tests.steps.provider.azure.test_cli_models import SETTINGS, TIMEOUT, ExampleNames
from tests.steps.provider.azure.test_models import IMAGE, candidate
from tests.steps.provider.azure.test_snapshots import lake, left_by_a_run
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create
from tests.support.recommenders import make_recommending_bundle, recommender, write_snapshots
from tools import azurite
from training.parameters import TrainingParameters

__all__ = ["lake"]
pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")


class Names(ExampleNames):
    """With the catalog of the volumes."""

    catalog_object = CATALOG


@pytest.fixture(autouse=True)
def _stack(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stack with the example names and parts of one user; the wheel and the libraries are not sent."""
    job = cloud.world.all(JOB)[0]
    for module in (azure_models, batch_run, job_runs):
        monkeypatch.setattr(module, "names_of", Names)
    monkeypatch.setattr(azure_models, "state_folder", lambda stack: tmp_path / "here" / stack)
    found = SimpleNamespace(own="code", requirements_path=f"{VOLUMES}/libraries/code/requirements.txt")
    monkeypatch.setattr(batch_run, "job_libraries", lambda *_: found)
    monkeypatch.setattr(batch_run, "send", lambda *_: None)
    monkeypatch.setattr(recommendations, "USERS_TOGETHER", 1)
    use(monkeypatch, SETTINGS.model_copy(update={"training_run_as": APPLICATION}))
    renamed = job.inputs | {"name": Names.databricks}
    cloud.world.put(type(job)(**{**vars(job), "inputs": renamed}))
    yield
    cloud.world.put(job)
    cloud.world.set("ml_assets", {})
    for blob in container(TENANT, BLOB, "work").list_blobs("files/"):
        container(TENANT, BLOB, "work").delete_blob(blob.name)


def use(monkeypatch: pytest.MonkeyPatch, azure: AzureSettings | None) -> None:
    settings = SimpleNamespace(azure=azure, scoring=ScoringSettings(), training=TrainingParameters())
    monkeypatch.setattr(recommending, "settings_of", lambda *_: settings)


@pytest.fixture
def job(cloud: Cloud, tmp_path: Path, lake: LakeSnapshots) -> Job:
    """The job, for a version that serves and users with histories."""
    cloud.world.set("ml_assets", {})
    made = make_recommending_bundle(tmp_path / "bundle", recommender())
    create(ModelVersion(lambda stack: tmp_path / stack, TIMEOUT), candidate(tmp_path, made), Recorder())
    create(
        Champion(lambda stack: tmp_path / stack, TIMEOUT),
        {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": 1, "image": IMAGE, "refusal": ""},
        Recorder(),
    )
    lake.publish(Path(checked_hash(made)), None, left_by_a_run(write_snapshots(tmp_path / "run")))
    task = cloud.task.work = Job(tmp_path / "volumes")
    return task


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "recs.parquet"


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def on_databricks(out: Path, **options: Any) -> None:
    recommend(all_users=True, on_databricks=True, out=out, top=2, stack=STACK, **options)


def left() -> list[str]:
    """The files of recommendations in the lake."""
    return [
        blob.name.rpartition("/")[2] for blob in container(TENANT, BLOB, "work").list_blobs("files/recommendations")
    ]


@pytest.mark.usefixtures("job")
def test_it_is_the_file_of_this_machine_and_leaves_nothing_in_the_lake(
    lake: LakeSnapshots, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_databricks(out, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"file": str(out), "users": 2, "version": "1"}
    recommend(all_users=True, out=out.with_name("here.parquet"), top=2, stack=STACK)
    assert out.read_bytes() == out.with_name("here.parquet").read_bytes()
    assert left() == []
    assert not list(out.parent.glob(".recs*"))
    lake.forget("3")
    on_databricks(out)
    recommend(all_users=True, out=out.with_name("here.parquet"), top=2, stack=STACK)
    assert out.read_bytes() == out.with_name("here.parquet").read_bytes()
    assert {*pd.read_parquet(out)["user"]} == {"u1"}


def test_the_run_has_the_training_job_s_cluster_and_principal(cloud: Cloud, job: Job, out: Path) -> None:
    on_databricks(out)
    [run] = job.runs
    definition = cloud.world.all(JOB)[0].inputs
    assert run.inputs["jobClusters"][0]["newCluster"] == definition["jobClusters"][0]["newCluster"]
    assert run.caller == APPLICATION
    [task] = run.inputs["tasks"]
    assert task["libraries"] == [{"requirements": f"{VOLUMES}/libraries/code/requirements.txt"}]
    assert task["pythonWheelTask"]["entryPoint"] == "recommend-to-all"


def test_a_part_that_was_lost_is_computed_again_and_no_other(
    job: Job, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Job.send
    monkeypatch.setattr(Job, "send", lambda own, file: send(own, file) if file.name != "0000000001.parquet" else None)
    with pytest.raises(OutputError, match=r"left parts out in abfss://work@.*computes those alone"):
        on_databricks(out)
    assert sorted(left()) == ["0000000000.parquet", RESULT]
    monkeypatch.setattr(Job, "send", send)
    job.volumes = job.volumes.with_name("other")
    on_databricks(out)
    assert job.written == ["0000000000.parquet", "0000000001.parquet", "0000000001.parquet"]
    assert out.is_file()


def test_what_was_computed_is_only_fetched(job: Job, out: Path) -> None:
    (out / "full").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"cannot be written.*fetches what was computed"):
        on_databricks(out)
    (out / "full").rmdir()
    out.rmdir()
    on_databricks(out)
    assert len(job.runs) == 1


def test_ctrl_c_cancels_the_run_and_the_next_one_continues(
    cloud: Cloud, job: Job, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def waits(run: Run) -> str:
        stopped.append(run)
        run.cancelled.wait(60)
        return "stopped"

    stopped: list[Run] = []
    cloud.task.work = waits
    with monkeypatch.context() as patched:
        patched.setattr("steps.azure.databricks_run.pause", interrupted)
        with pytest.raises(typer.Exit):
            on_databricks(out)
    assert "continues where it stopped" in capsys.readouterr().err
    assert stopped[0].cancelled.wait(30)
    cloud.task.work = job
    on_databricks(out)
    assert out.is_file()


def test_a_run_that_goes_on_is_followed_by_the_same_command_and_refuses_another(
    cloud: Cloud, job: Job, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    cloud.task.work = lambda run: may_end.wait(60) and job(run)
    with monkeypatch.context() as patched:
        patched.setattr(OneTimeRuns, "finish", interrupted)  # the machine was switched off
        with pytest.raises(typer.Exit):
            on_databricks(out)
    try:
        with pytest.raises(RunBusyError, match="Another run is going on: https://adb-"):
            recommend(all_users=True, on_databricks=True, out=out, top=1, stack=STACK)
        threading.Timer(0.5, may_end.set).start()
        on_databricks(out)
    finally:
        may_end.set()
    assert len(job.runs) == 1
    assert out.is_file()


def test_a_failed_run_says_why_and_where(cloud: Cloud, job: Job, out: Path) -> None:
    def failing(_: Run) -> str:
        raise TaskFailedError("Traceback ...\nbatch.JobFailedError: error: This model recommends nothing: too weak.")

    cloud.task.work = failing
    reason = r"^The recommendation run failed: This model recommends nothing: too weak\. The run is https://adb-"
    with pytest.raises(RunFailedError, match=reason):
        on_databricks(out)
    assert job.runs == []


def test_what_cannot_be_done_is_said_before_a_run_begins(
    cloud: Cloud, job: Job, lake: LakeSnapshots, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match="2,000 items for each user are too many"):
        recommend(all_users=True, on_databricks=True, out=out, top=2_000, stack=STACK)
    use(monkeypatch, SETTINGS.model_copy(update={"training_binary_files": True}))
    with pytest.raises(BadInputError, match="training_binary_files"):
        on_databricks(out)
    use(monkeypatch, None)
    with pytest.raises(BadInputError, match="not on Azure"):
        on_databricks(out)
    use(monkeypatch, SETTINGS)
    monkeypatch.setattr(ExampleNames, "databricks", "another")
    with pytest.raises(StackMissingError, match="no training job"):
        on_databricks(out)
    lake.keep(set())
    with pytest.raises(NoRecommendationsError, match="no histories of users"):
        on_databricks(out)
    cloud.world.set("ml_assets", {})
    with pytest.raises(BadInputError, match=f"{STACK} serves no model yet"):
        on_databricks(out)
    assert job.runs == []
