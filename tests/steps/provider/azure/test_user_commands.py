"""Commands about users and items of a stack on Azure: `forget`, `catalogue load`, and `recommend --all-users`."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from azure_clients.lake import LakeFolder
from azure_clients.snapshots import LakeSnapshots
from features.bundle import checked_hash
from features.errors import BadInputError
from personalize.all_users import NoRecommendationsError
from personalize.commands import data as command
from personalize.commands import service as recommending
from personalize.commands.data import Action, forget
from personalize.commands.data import catalogue as load_catalogue
from personalize.commands.service import recommend
from personalize.stack import azure_models, on_azure
from recommend import catalogue
from recommend.catalogue import ItemRow, Layout, State
from recommend.forgotten import Forgotten
from steps.champion import ChampionOnAzure
from steps.model_version import ModelVersionOnAzure
from steps.serving_settings import ScoringSettings
from steps.training_run import TrainingRunOnAzure
from tests.simulation.fakes.runs import Run
from tests.steps.provider.azure.conftest import Cloud, container
from tests.steps.provider.azure.examples import config_in_place
from tests.steps.provider.azure.test_models import SETTINGS, ExampleNames, candidate, served
from tests.steps.provider.azure.test_snapshots import VERSION, in_catalogue, lake, left_by_a_run, stored
from tests.steps.provider.azure.test_training_run import Training, inputs
from tests.steps.provider.steps import STACK, Take
from tests.support.bundles import MakeBundle
from tests.support.recommenders import make_recommending_bundle, recommender, write_snapshots
from tools.paths import ROOT
from training.errors import DatasetError
from training.parameters import FilmsDataset

__all__ = ["lake"]
LIST = "files/served/forgotten.json"
LAYOUT = Layout(item_column="item_id", separators=dict.fromkeys(("genre", "minutes", "critics_score"), ""))


@pytest.fixture(autouse=True)
def _stack(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack with the example names and no registered model, on a machine without local files of it."""
    del cloud
    monkeypatch.setattr(azure_models, "names_of", ExampleNames)
    monkeypatch.setattr(azure_models, "state_folder", lambda stack: tmp_path / "here" / stack)


@pytest.fixture
def bundle(take: Take, tmp_path: Path) -> Path:
    """The bundle of the version that serves, the only one that is registered; nobody has histories yet."""
    made = make_recommending_bundle(tmp_path / "bundle", recommender())
    take(ModelVersionOnAzure, candidate(made))
    take(ChampionOnAzure, served(1))
    return made


def test_a_forgotten_user_is_on_the_list_and_no_file_is_downloaded_or_written_again(
    lake: LakeSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_azure, "azure_of", lambda *_: SETTINGS)
    monkeypatch.setattr(command, "versions_of", lambda *_: azure_models.AzureVersions("test", SETTINGS))
    monkeypatch.setattr(command, "settings_of", lambda _: SimpleNamespace(dataset=FilmsDataset(kind="films")))
    lake.publish(Path(VERSION), None, left_by_a_run(write_snapshots(tmp_path / "run")))
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


def test_a_run_during_which_somebody_is_forgotten_is_not_used_again(
    cloud: Cloud, lake: LakeSnapshots, take: Take, bundle_of: MakeBundle
) -> None:
    train = Training(bundle_of(1))

    def work(run: Run) -> str:
        lake.forget("u1")
        return train(run)

    cloud.task.work = work
    first = take(TrainingRunOnAzure, inputs(cloud, 91))
    cloud.task.work = train
    assert take(TrainingRunOnAzure, inputs(cloud, 91)).id != first.id
    assert len(train.requests) == 2


@pytest.mark.parametrize("in_place", [False, True])
def test_catalogue_load_changes_the_catalogue_in_the_lake_or_nothing(
    lake: LakeSnapshots, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_place: bool
) -> None:
    version = checked_hash(bundle)
    run = write_snapshots(tmp_path / "run")
    former = [ItemRow(key, {"genre": "crime", "minutes": "1", "critics_score": "2"}, State.TRAINED) for key in "abcd"]
    catalogue.write(run / catalogue.FILE, former, LAYOUT)
    lake.publish(Path(version), None, left_by_a_run(run))
    spec = ROOT / "examples" / "tables" / "dataset.yaml"
    if in_place:
        spec = tmp_path / "dataset.yaml"
        spec.write_text(config_in_place())
    azure = SETTINGS.model_dump(mode="json", exclude_unset=True)
    config = {"target": "azure", "azure": azure, "dataset": {"kind": "tables", "spec": str(spec)}}
    settings = tmp_path / "mine.yaml"
    monkeypatch.setenv("PERSONALIZE_CONFIG_FILE", str(settings))
    settings.write_text(yaml.safe_dump({"config": {f"personalization:{name}": one for name, one in config.items()}}))
    items = tmp_path / "items.csv"
    items.write_text("item_id,genre,minutes,critics_score\na,crime,135,2.9\nz,comedy,90,3.5\n")
    before = stored()
    with pytest.raises(BadInputError, match="would withdraw 3 of 4 items, so nothing was changed"):
        load_catalogue(Action.LOAD, items, stack="test")
    assert stored() == before
    load_catalogue(Action.LOAD, items, stack="test", yes=True)
    wanted = dict.fromkeys("bcd", State.WITHDRAWN) | {"a": State.LOADED, "z": State.LOADED}
    assert in_catalogue(lake, version) == wanted
    before = stored()
    items.write_text("item_id,genre,minutes,critics_score\na,crime,135,2.9\nz,comedy,long,3.5\n")
    with pytest.raises(DatasetError, match="minutes"):
        load_catalogue(Action.LOAD, items, stack="test")
    assert stored() == before


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file to write, with temporary files in a folder beside it."""
    settings = SimpleNamespace(azure=SETTINGS, scoring=ScoringSettings())
    monkeypatch.setattr(recommending, "settings_of", lambda *_: settings)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "recs.parquet"


def test_a_stack_without_a_model_or_histories_recommends_nothing(out: Path, request: pytest.FixtureRequest) -> None:
    with pytest.raises(BadInputError, match=f"{STACK} serves no model yet"):
        recommend(all_users=True, out=out, stack=STACK)
    request.getfixturevalue("bundle")
    with pytest.raises(NoRecommendationsError, match="no histories of users"):
        recommend(all_users=True, out=out, stack=STACK)


def test_everybody_gets_a_file_by_the_version_that_serves_and_no_histories_stay_here(
    bundle: Path, lake: LakeSnapshots, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.publish(Path(checked_hash(bundle)), None, left_by_a_run(write_snapshots(out.parent / "run")))
    capsys.readouterr()
    recommend(all_users=True, out=out, top=2, stack=STACK, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"file": str(out), "users": 2, "version": "1"}
    assert pd.read_parquet(out)[["user", "rank", "item", "version"]].to_numpy().tolist() == [
        ["3", 1, "a", "1"],
        ["3", 2, "b", "1"],
        ["u1", 1, "a", "1"],
        ["u1", 2, "c", "1"],
    ]
    assert list((out.parent / "temporary").iterdir()) == [], "histories are personal data"
    assert (out.parent / "here" / STACK / "registry" / "bundles" / checked_hash(bundle)).is_dir()
