"""`models` and `report` for a stack on Azure: versions come from Azure ML, bundles from the lake."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_clients.retries import Timeout
from features.bundle import REPORT, checked_hash
from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from personalize.commands.models import export, model_rows, require_version, restore
from personalize.errors import StackMissingError
from personalize.stack import azure_models
from personalize.stack.azure_models import AzureVersions
from steps.champion import ChampionOnAzure
from steps.model_version import ModelVersionOnAzure
from steps.registry_here import LocalRegistry
from tests.simulation.world import DEFAULTS
from tests.steps.provider.azure.conftest import BLOB, MACHINE_LEARNING, SUBSCRIPTION, TENANT, Cloud
from tests.steps.provider.azure.examples import GROUP
from tests.steps.provider.azure.test_models import candidate
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create
from tests.support.bundles import MakeBundle
from tools import azurite

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
TIMEOUT = Timeout(seconds=20, pause=0.1)
SETTINGS = AzureSettings.model_validate(
    {
        "subscription": SUBSCRIPTION,
        "tenant": TENANT,
        "deployers": DEFAULTS["deployers"],
        "alert_mail": "operators@example.com",
        "authorized_ip_ranges": "anywhere",
        "allowed_sources": "anywhere",
    }
)


class ExampleNames:
    """The names of the simulated Azure's example resources; a real stack's names contain a token."""

    training_group = GROUP
    machine_learning = MACHINE_LEARNING["workspace"]
    lake = "lakeabc"
    databricks = "training"

    def __init__(self, *_: object) -> None:
        """Ignore the arguments: the names are the same for every stack."""


@pytest.fixture(autouse=True)
def _stack(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stack with the example names and no registered model, on a machine without local files of it."""
    cloud.world.set("ml_assets", {})
    monkeypatch.setattr(azure_models, "names_of", ExampleNames)
    monkeypatch.setattr(azure_models, "state_folder", lambda stack: tmp_path / "here" / stack)
    monkeypatch.setattr("personalize.stack.on_azure.azure_of", lambda *_: SETTINGS)
    yield
    cloud.world.set("ml_assets", {})


@pytest.fixture
def served(tmp_path: Path, bundle_of: MakeBundle, recorder: Recorder) -> str:
    """Register a version as if from another machine, and mark it as champion; returns its bundle's hash."""
    bundle = bundle_of(1)
    inputs = candidate(tmp_path, bundle)
    create(ModelVersionOnAzure(lambda stack: tmp_path / stack, TIMEOUT), inputs, recorder)
    create(
        ChampionOnAzure(lambda stack: tmp_path / stack, TIMEOUT),
        {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": 1, "refusal": ""},
        recorder,
    )
    return checked_hash(bundle)


def test_the_versions_in_azure_ml_are_listed_with_the_champion(served: str) -> None:
    [row] = model_rows(STACK)
    assert (row["version"], row["champion"], row["accepted"], row["bundle_hash"]) == (1, True, True, served)


def test_a_version_that_is_not_registered_cannot_be_rolled_back_to(served: str) -> None:
    assert served
    require_version(STACK, 1)
    with pytest.raises(BadInputError, match="no model version 7; registered are: 1"):
        require_version(STACK, 7)


def test_kept_models_are_registered_beside_the_one_that_serves(
    served: str, tmp_path: Path, empty_registry: Path, bundle_of: MakeBundle
) -> None:
    shutil.copytree(empty_registry, tmp_path / "earlier")
    earlier = LocalRegistry(tmp_path / "earlier")
    earlier.register(bundle_of(2))
    export(earlier.list, earlier.fetch, tmp_path / "saved")
    versions = AzureVersions(STACK, SETTINGS)
    assert {old: new.number for old, new in restore(tmp_path / "saved", versions.register_imported).items()} == {1: 2}
    assert {old: new.number for old, new in restore(tmp_path / "saved", versions.register_imported).items()} == {1: 2}
    assert [(one.number, one.champion) for one in versions.list()] == [(1, True), (2, False)]
    assert [one.bundle_hash for one in versions.list()] == [served, checked_hash(bundle_of(2))]
    versions.fetch(versions.get(2), tmp_path / "fetched")
    assert checked_hash(tmp_path / "fetched") == checked_hash(bundle_of(2))
    asked = candidate(tmp_path, bundle_of(1)) | {"requested": "2"}
    created = create(ModelVersionOnAzure(lambda stack: tmp_path / stack, TIMEOUT), asked, Recorder())
    assert (created.outputs.version, created.outputs.served_hash) == (2, checked_hash(bundle_of(2)))


def test_a_stack_without_models_says_so() -> None:
    with pytest.raises(StackMissingError, match="has no models yet"):
        model_rows(STACK)


def test_the_served_report_is_fetched_from_the_lake_once(served: str, tmp_path: Path) -> None:
    versions = AzureVersions(STACK, SETTINGS)
    report = versions.report()
    assert report == tmp_path / "here" / STACK / "registry" / "bundles" / served / REPORT
    assert report.is_file()
    fetched = report.stat().st_ino
    assert versions.report() == report
    assert report.stat().st_ino == fetched
