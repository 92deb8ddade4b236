"""`forget` for a stack on Azure: the list in the lake, and what the files there still have."""

from pathlib import Path
from typing import Any

import pytest

from azure_clients import credentials
from features.errors import BadInputError
from personalize.commands import data as command
from personalize.commands.data import forget
from personalize.stack import azure_models, on_azure
from recommend import histories
from recommend.forgotten import Forgotten
from recommend.published import LISTED
from steps.lake import LakeFolder
from steps.snapshots_on_azure import LakeSnapshots
from tests.simulation.fakes.runs import Run
from tests.steps.provider.azure.conftest import BLOB, TENANT, Cloud
from tests.steps.provider.azure.test_cli_models import SETTINGS, ExampleNames
from tests.steps.provider.azure.test_snapshots import NEXT, VERSION, client, lake, left_by_a_run
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
def _stack(lake: LakeSnapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack with the example names, which has forgotten nobody."""
    del lake  # it has no snapshots
    monkeypatch.setattr(azure_models, "names_of", ExampleNames)
    monkeypatch.setattr(on_azure, "azure_of", lambda *_: SETTINGS)
    monkeypatch.setattr(command, "versions_of", lambda *_: azure_models.AzureVersions("test", SETTINGS))


def container(name: str) -> Any:
    return credentials.container(TENANT, BLOB, name)


def test_a_user_is_on_the_list_and_no_file_is_downloaded_or_written_again(
    lake: LakeSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = left_by_a_run(write_snapshots(tmp_path / "run"))
    lake.publish(Path(VERSION), None, made)
    container("work").upload_blob("files/training-x/rows/part-0.parquet", b"rows")
    before = {blob.name: blob.etag for name in ("snapshots", "work") for blob in container(name).list_blobs()}
    monkeypatch.setattr(LakeFolder, "fetch", None)
    forget("u1.", stack="test")
    after = {blob.name: blob.etag for name in ("snapshots", "work") for blob in container(name).list_blobs()}
    assert after.keys() - before.keys() == {LIST}
    assert {name: after[name] for name in before} == before
    listed = container("snapshots").download_blob(LIST).readall()
    assert [user in Forgotten.decode(listed) for user in ("u1.", "u2")] == [True, False]
    assert b"u1" not in listed
    forget("u1.", stack="test", undo=True)
    with pytest.raises(BadInputError, match=r"u1\. was not forgotten"):
        forget("u1.", stack="test", undo=True)
    assert lake.forgotten().users == frozenset()


def test_histories_may_have_a_user_who_was_forgotten_since_their_run_read_the_list(
    lake: LakeSnapshots, tmp_path: Path
) -> None:
    lake.forget("u1")
    made = left_by_a_run(write_snapshots(tmp_path / "run"))
    client().upload_blob(f"files/served/{made[histories.FILE]}/{LISTED}", b"1")
    lake.publish(Path(VERSION), None, made)
    lake.forget("u2")
    assert [lake.having(user) for user in ("u1", "u2")] == [[], [VERSION]]
    for user in ("u1", "u2"):
        lake.remember(user)
    assert [lake.having(user) for user in ("u1", "u2")] == [[], [VERSION]]
    lake.forget("u1")
    assert lake.having("u1") == [], "nothing was trained meanwhile"
    lake.publish(Path(NEXT), VERSION, {})
    assert lake.having("u2") == sorted([VERSION, NEXT])


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
