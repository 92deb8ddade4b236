"""`recommend --all-users` for a stack on Azure: computed here, from the bundle and the histories in the lake."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from features.bundle import checked_hash
from features.errors import BadInputError
from personalize.all_users import NoRecommendationsError
from personalize.commands import service as recommending
from personalize.commands.service import recommend
from personalize.stack import azure_models
from steps.champion import ChampionOnAzure
from steps.model_version import ModelVersionOnAzure
from steps.serving_settings import ScoringSettings
from steps.snapshots_on_azure import LakeSnapshots
from tests.steps.provider.azure.conftest import BLOB, MACHINE_LEARNING, Cloud
from tests.steps.provider.azure.test_cli_models import SETTINGS, TIMEOUT, ExampleNames
from tests.steps.provider.azure.test_models import candidate
from tests.steps.provider.azure.test_snapshots import lake, left_by_a_run
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create
from tests.support.recommenders import make_recommending_bundle, recommender, write_snapshots
from tools import azurite

__all__ = ["lake"]
pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")


@pytest.fixture(autouse=True)
def _stack(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack with the example names and no registered model, on a machine without local files of it."""
    cloud.world.set("ml_assets", {})
    monkeypatch.setattr(azure_models, "names_of", ExampleNames)
    monkeypatch.setattr(azure_models, "state_folder", lambda stack: tmp_path / "here" / stack)
    settings = SimpleNamespace(azure=SETTINGS, scoring=ScoringSettings())
    monkeypatch.setattr(recommending, "settings_of", lambda *_: settings)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file to write, with temporary files in a folder beside it."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "recs.parquet"


@pytest.fixture
def bundle(cloud: Cloud, tmp_path: Path) -> Iterator[Path]:
    """The bundle of the version that serves; nobody has histories yet."""
    made = make_recommending_bundle(tmp_path / "bundle", recommender())
    create(ModelVersionOnAzure(lambda stack: tmp_path / stack, TIMEOUT), candidate(tmp_path, made), Recorder())
    serving = {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": 1, "refusal": ""}
    create(ChampionOnAzure(lambda stack: tmp_path / stack, TIMEOUT), serving, Recorder())
    yield made
    cloud.world.set("ml_assets", {})


@pytest.mark.usefixtures("lake")
def test_a_stack_without_a_model_or_histories_says_so(out: Path, request: pytest.FixtureRequest) -> None:
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
