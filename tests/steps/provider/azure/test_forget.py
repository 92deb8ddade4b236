"""`forget` for a stack on Azure: users leave what is in the lake, and trainings pass over them."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_clients import credentials
from features.errors import BadInputError
from personalize.clients import azure_models, job_runs
from personalize.commands import forget as command
from personalize.commands.forget import forget
from personalize.errors import StackBusyError
from recommend import histories
from recommend.forgotten import Forgotten
from recommend.histories import Histories, UserRow
from recommend.published import CURRENT, decode, place
from steps.azure.stores.snapshots import LakeSnapshots
from tests.simulation.fakes.runs import Run
from tests.simulation.services.jobs import JOB
from tests.steps.provider.azure.conftest import BLOB, TENANT, Cloud
from tests.steps.provider.azure.test_cli_models import SETTINGS, ExampleNames
from tests.steps.provider.azure.test_snapshots import VERSION, client, lake, left_by_a_run
from tests.steps.provider.azure.test_training_run import Training, inputs, step
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import create
from tests.support.bundles import MakeBundle
from tests.support.recommenders import write_snapshots
from tools import azurite

__all__ = ["lake"]
LIST = "files/served/forgotten.json"
pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")


@pytest.fixture(autouse=True)
def _stack(lake: LakeSnapshots, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stack with the example names, which has forgotten nobody and has no prepared rows."""
    del lake  # it has no snapshots
    monkeypatch.setattr(azure_models, "names_of", ExampleNames)
    monkeypatch.setattr(job_runs, "names_of", ExampleNames)
    monkeypatch.setattr(command, "azure_of", lambda *_: SETTINGS)
    _empty()  # tests of other steps have left their data
    yield
    _empty()


def _empty() -> None:
    for name in ("raw", "work"):
        for blob in container(name).list_blobs():
            container(name).delete_blob(blob.name)


def container(name: str) -> Any:
    return credentials.container(TENANT, BLOB, name)


def served(folder: Path) -> Histories:
    """The histories that the lake's pods follow."""
    digest = decode(client().download_blob(f"files/served/{VERSION}/{CURRENT}").readall())[histories.FILE]
    file = folder / digest
    file.write_bytes(client().download_blob(f"files/served/{place(histories.FILE, digest)}").readall())
    return Histories(file, ["b"])


def names(of: str) -> list[str]:
    return [blob.name for blob in container(of).list_blobs()]


def test_a_user_leaves_everything_in_the_lake_until_it_is_undone(
    lake: LakeSnapshots, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = left_by_a_run(write_snapshots(tmp_path / "run"))
    lake.publish(Path(VERSION), None, made)
    unpublished = write_snapshots(tmp_path / "another")
    histories.write(unpublished / histories.FILE, ["b"], [UserRow("u1", b"", {})], "user_id")
    left = left_by_a_run(unpublished)
    container("work").upload_blob("files/training-x/rows/part-0.parquet", b"rows")
    container("work").upload_blob("libraries/training.whl", b"code")

    capsys.readouterr()
    forget("u1", stack="test", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"user": "u1", "forgotten": True, "files": 1}
    found = served(tmp_path)
    assert (found.find("u1"), found.active_users()) == (None, ["3"])
    assert found.find("u2") is not None
    there = {name.removeprefix("files/served/") for name in names("snapshots")}
    assert place(histories.FILE, made[histories.FILE]) not in there
    assert place(histories.FILE, left[histories.FILE]) in there, "it is yet to be published"
    assert names("work") == ["libraries/training.whl"]
    assert names("raw") == []
    listed = container("snapshots").download_blob(LIST).readall()
    assert [user in Forgotten.decode(listed) for user in ("u1", "u2")] == [True, False]
    assert b"u1" not in listed

    forget("u1", stack="test")
    said = " ".join(capsys.readouterr().out.split())
    assert "nothing was stored about this user" in said, "it is gone already"
    assert "can be restored for 7 days" in said
    forget("u1", stack="test", undo=True)
    with pytest.raises(BadInputError, match="u1 was not forgotten"):
        forget("u1", stack="test", undo=True)
    assert lake.forgotten().users == frozenset()


def test_a_run_during_which_somebody_is_forgotten_is_not_used_again(
    cloud: Cloud, lake: LakeSnapshots, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    train = Training(bundle_of(1))

    def work(run: Run) -> str:
        lake.forget("u1")
        return train(run)

    cloud.task.work = work
    first = create(step(tmp_path), inputs(cloud, 91), recorder)
    cloud.task.work = train
    assert create(step(tmp_path), inputs(cloud, 91), recorder).id != first.id
    assert len(train.requests) == 2


def test_a_list_that_somebody_else_changes_meanwhile_keeps_both(
    lake: LakeSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Forgotten.with_user

    def meanwhile(users: Forgotten, user: str) -> Forgotten:
        monkeypatch.setattr(Forgotten, "with_user", once)
        lake.forget("u2")
        return once(users, user)

    monkeypatch.setattr(Forgotten, "with_user", meanwhile)
    lake.forget("u1")
    assert all(user in lake.forgotten() for user in ("u1", "u2"))


def test_nothing_is_forgotten_while_a_job_runs(cloud: Cloud) -> None:
    may_end = threading.Event()
    cloud.task.work = lambda _: may_end.wait(60)
    workspace = cloud.workspace
    api = credentials.databricks(TENANT, f"https://{workspace['workspace_host']}", workspace["workspace_id"])
    number = api.jobs.run_now(int(cloud.world.all(JOB)[0].id.rpartition("/")[2])).run_id
    try:
        with pytest.raises(StackBusyError, match=f"job of stack test is running: https://adb-.*{number}"):
            forget("u1", stack="test")
        assert LIST not in names("snapshots")
    finally:
        may_end.set()
        api.jobs.wait_get_run_job_terminated_or_skipped(number or 0)
