"""Recommendations for all users by a run on the simulated Databricks: the command's own wheel on real Spark, with the
rights of the training job's principal.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer

from azure_clients.retries import Timeout
from features.bundle import checked_hash
from personalize.clients import azure_models, batch_run, job_runs
from personalize.commands import recommending
from personalize.commands.recommending import recommend
from recommend import histories
from recommend.histories import UserRow
from recommend.weights import ItemWeights
from steps.azure.champion import Champion
from steps.azure.model_version import ModelVersion
from steps.azure.stores.snapshots import LakeSnapshots
from steps.descriptions.places import Lake
from steps.descriptions.serving_settings import ScoringSettings
from steps.provider.step import Context
from tests.simulation.examples.azure import example
from tests.simulation.examples.databricks import APPLICATION
from tests.simulation.examples.lakehouse import of
from tests.simulation.examples.names import PLAIN
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services.jobs import JOB
from tests.simulation.test_training_job import ROLE, Workspace, workspace
from tests.steps.provider.azure.conftest import AZURE, BLOB, MACHINE_LEARNING
from tests.steps.provider.azure.test_cli_models import SETTINGS, ExampleNames
from tests.steps.provider.azure.test_models import IMAGE, candidate
from tests.steps.provider.azure.test_snapshots import left_by_a_run
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create
from tests.support.recommenders import STORED_ITEMS, make_recommending_bundle, ranking_recommender, write_snapshots
from training.parameters import TrainingParameters

__all__ = ["workspace"]
pytestmark = [pytest.mark.spark, pytest.mark.full]
TIMEOUT = Timeout(seconds=20, pause=0.1)
USERS = 5_000
"""An eighth of them chose nothing."""


class Names(ExampleNames):
    """With the catalog of the simulation's volumes."""

    catalog_object = "dev"


@pytest.fixture
def stack(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A stack that serves a recommender of two stages, with users of three parts."""
    workspace.grant("catalog", "dev", "READ_VOLUME", "USE_CATALOG", "USE_SCHEMA")
    workspace.grant("volume", "dev.training.work", "WRITE_VOLUME")
    workspace.databricks.create(JOB, of(JOB) | {"name": Names.databricks})
    arm = AzureNative(workspace.world)
    own_storage = {"scope": PLAIN, "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0051"}
    arm.create(ROLE, example(ROLE) | own_storage)
    for module in (azure_models, batch_run, job_runs):
        monkeypatch.setattr(module, "names_of", Names)
    monkeypatch.setattr(azure_models, "state_folder", lambda name: tmp_path / "here" / name)
    azure = SETTINGS.model_copy(update={"training_run_as": APPLICATION})
    settings = SimpleNamespace(azure=azure, scoring=ScoringSettings(), training=TrainingParameters())
    monkeypatch.setattr(recommending, "settings_of", lambda *_: settings)
    random = np.random.default_rng(3)
    made = replace(ranking_recommender(), first_stage=ItemWeights.cut(random.normal(size=(5, 5))))
    bundle = make_recommending_bundle(tmp_path / "bundle", made)
    create(ModelVersion(lambda name: tmp_path / name, TIMEOUT), candidate(tmp_path, bundle), Recorder())
    serving = {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": 1, "image": IMAGE, "refusal": ""}
    create(Champion(lambda name: tmp_path / name, TIMEOUT), serving, Recorder())
    folder = write_snapshots(tmp_path / "run")
    chosen = random.integers(0, 2, (USERS, len(STORED_ITEMS))).astype(bool)
    rows = [
        UserRow(f"u{user:05}", np.flatnonzero(own).astype(histories.PACKED).tobytes(), {"age": str(20 + user % 60)})
        for user, own in enumerate(chosen)
    ]
    histories.write(folder / histories.FILE, STORED_ITEMS, rows, "user_id")
    lake = LakeSnapshots(Lake(**AZURE, blob_endpoint=BLOB), TIMEOUT, Context(print))
    lake.publish(Path(checked_hash(bundle)), None, left_by_a_run(folder))
    return workspace


def parts(stack: Workspace) -> dict[str, Any]:
    """The etags of the parts in the lake, by name."""
    found = stack.container("work").list_blobs("files/recommendations/")
    return {blob.name.rpartition("/")[2]: blob.etag for blob in found if blob.name.endswith(".parquet")}


@pytest.mark.timeout(1800)
def test_a_cluster_writes_the_file_of_this_machine_and_computes_only_what_is_missing(
    stack: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch_run, "merge", interrupted)
        with pytest.raises(typer.Exit):
            recommend(all_users=True, on_databricks=True, out=there, top=3, stack=STACK)
        first = parts(stack)
        assert sorted(first) == ["0000000000.parquet", "0000002000.parquet", "0000004000.parquet"]
        [lost] = [blob.name for blob in stack.container("work").list_blobs() if blob.name.endswith("2000.parquet")]
        stack.container("work").delete_blob(lost)
        with pytest.raises(typer.Exit):
            recommend(all_users=True, on_databricks=True, out=there, top=3, stack=STACK)
        assert [name for name, etag in parts(stack).items() if etag != first[name]] == ["0000002000.parquet"]
        assert len(stack.runs.of(None)) == 2
    recommend(all_users=True, on_databricks=True, out=there, top=3, stack=STACK)
    assert len(stack.runs.of(None)) == 2, "everything was there"
    recommend(all_users=True, out=here, top=3, stack=STACK)
    assert there.read_bytes() == here.read_bytes()
    assert parts(stack) == {}, "what is personal does not stay"
    assert {run.caller for run in stack.runs.of(None)} == {APPLICATION}
