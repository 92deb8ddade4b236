"""Users' histories and the catalogue in the lake: published after training, loaded between, followed by the pods."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from azure_clients.credentials import container
from azure_clients.retries import Timeout
from infra.cloud.role_list import Role
from personalize.clients import azure_models
from personalize.commands.catalogue import Action
from personalize.commands.catalogue import catalogue as load_catalogue
from recommend import catalogue, histories
from recommend.catalogue import ItemRow, Layout, State
from recommend.forgotten import NOBODY
from recommend.histories import Histories
from scoring.errors import FetchError
from scoring.worker.fetching import Lake
from steps.azure.stores.snapshots import LakeSnapshots
from steps.descriptions.places import Lake as LakePlace
from steps.provider.step import Context
from tests.simulation.examples.azure import example
from tests.simulation.examples.names import LAKE
from tests.simulation.examples.shop import config_in_place
from tests.steps.provider.azure.conftest import AZURE, BLOB, TENANT, Cloud
from tests.steps.provider.azure.test_cli_models import SETTINGS, ExampleNames
from tests.support.recommenders import write_catalogue, write_snapshots
from tools import azurite
from tools.paths import ROOT
from training.datasets.errors import DatasetError

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
ADDRESS = f"{BLOB}snapshots/files/served"
LAYOUT = Layout(item_column="item_id", separators=dict.fromkeys(("genre", "minutes", "critics_score"), ""))
ROLE, IDENTITY = "azure-native:authorization:RoleAssignment", "azure-native:managedidentity:UserAssignedIdentity"


@pytest.fixture
def lake(cloud: Cloud) -> LakeSnapshots:
    """The stack's snapshots, of which there are none."""
    del cloud  # what matters is its environment
    files = client()
    for blob in list(files.list_blobs()):
        files.delete_blob(blob.name)
    return LakeSnapshots(LakePlace(**AZURE, blob_endpoint=BLOB), Timeout(seconds=20, pause=0.1), Context(print))


@pytest.fixture
def pod(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pod with an Azure identity, and its folder."""
    (tmp_path / "token").write_text("assertion")
    variables = {
        "AZURE_CLIENT_ID": identity(cloud)["clientId"],
        "AZURE_TENANT_ID": TENANT,
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "pod"


@pytest.fixture
def allowed(cloud: Cloud) -> Iterator[None]:
    """The pods' identity may read the container with the snapshots."""
    definition = example(ROLE)["roleDefinitionId"].rpartition("/")[0]
    given = {
        "scope": f"{LAKE}/blobServices/default/containers/snapshots",
        "principalId": identity(cloud)["principalId"],
        "principalType": "ServicePrincipal",
        "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0c0001",
        "roleDefinitionId": f"{definition}/{Role.BLOB_DATA_READER}",
    }
    made = cloud.arm.create(ROLE, example(ROLE) | given)
    yield
    cloud.arm.delete(ROLE, made.id)


def identity(cloud: Cloud) -> dict[str, Any]:
    """The pods' identity."""
    (found,) = cloud.world.all(IDENTITY)
    return dict(found.outputs)


def client() -> Any:
    return container(TENANT, BLOB, "snapshots")


def left_by_a_run(folder: Path) -> dict[str, str]:
    """Upload the files of a folder as the job leaves them."""
    made = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.sqlite")}
    for name, digest in made.items():
        client().upload_blob(f"files/served/{digest}/{name}", (folder / name).read_bytes(), overwrite=True)
    return made


def states(file: Path) -> dict[str, State]:
    return {row.key: row.state for row in catalogue.read_rows(file)[0]}


@pytest.mark.usefixtures("allowed")
def test_pods_fetch_what_training_has_made_and_follow_what_replaces_it(
    lake: LakeSnapshots, pod: Path, tmp_path: Path
) -> None:
    service = Lake(ADDRESS, pod)
    service.fetch()
    assert not pod.exists(), "there is nothing yet"
    first = write_snapshots(tmp_path / "first")
    lake.publish(left_by_a_run(first), NOBODY)
    service.fetch()
    assert (pod / histories.FILE).read_bytes() == (first / histories.FILE).read_bytes()
    assert states(pod / catalogue.FILE) == dict.fromkeys("abcd", State.TRAINED)
    assert (pod / histories.FILE).stat().st_mode & 0o777 == 0o600

    second = write_snapshots(tmp_path / "second")
    histories.write(second / histories.FILE, ["b"], [histories.UserRow("u9", b"", {})], "user_id")
    made = left_by_a_run(second)
    lake.publish(made, NOBODY)
    service.fetch()
    assert Histories(pod / histories.FILE, ["b"]).find("u9") is not None
    left = [blob.name for blob in client().list_blobs() if blob.name.endswith(histories.FILE)]
    assert left == [f"files/served/{made[histories.FILE]}/{histories.FILE}"], "the former users' histories are gone"

    lake.publish({}, NOBODY)
    service.fetch()
    assert not (pod / histories.FILE).exists(), "a dataset without users"


@pytest.mark.usefixtures("allowed")
def test_an_altered_snapshot_is_refused_and_the_former_one_stays(
    lake: LakeSnapshots, pod: Path, tmp_path: Path
) -> None:
    service = Lake(ADDRESS, pod)
    lake.publish(left_by_a_run(write_snapshots(tmp_path / "first")), NOBODY)
    service.fetch()
    before = (pod / catalogue.FILE).read_bytes()
    lake.change_catalogue(lambda file: catalogue.write(file, [], catalogue.read_rows(file)[1]))
    (name,) = (blob.name for blob in client().list_blobs() if blob.name.endswith(catalogue.FILE))
    client().upload_blob(name, before[:-1], overwrite=True)
    for _ in range(2):
        with pytest.raises(FetchError, match="incomplete or was altered"):
            service.fetch()
    assert (pod / catalogue.FILE).read_bytes() == before


def test_pods_without_the_role_say_so(lake: LakeSnapshots, pod: Path, tmp_path: Path) -> None:
    lake.publish(left_by_a_run(write_snapshots(tmp_path / "first")), NOBODY)
    with pytest.raises(FetchError, match=r"403.*role of the pods' identity"):
        Lake(ADDRESS, pod).fetch()
    assert not pod.exists()


def test_what_was_loaded_outlives_training_and_a_load_that_comes_between(lake: LakeSnapshots, tmp_path: Path) -> None:
    run = write_snapshots(tmp_path / "run")
    lake.publish(left_by_a_run(run), NOBODY)
    loads: list[str] = []

    def withdraw(file: Path, key: str) -> str:
        rows, layout = catalogue.read_rows(file)
        loads.append(key)
        if loads == ["a"]:
            lake.change_catalogue(lambda other: withdraw(other, "b"))
        kept = [ItemRow(row.key, {}, State.WITHDRAWN) if row.key == key else row for row in rows]
        return catalogue.write(file, kept, layout)

    version = lake.change_catalogue(lambda file: withdraw(file, "a"))
    assert loads == ["a", "b", "a"], "made again from what came between"
    lake.publish(left_by_a_run(run), NOBODY)
    found: dict[str, State] = {}
    lake.change_catalogue(lambda file: found.update(states(file)))
    assert found == {"a": State.WITHDRAWN, "b": State.WITHDRAWN, "c": State.TRAINED, "d": State.TRAINED}
    assert len(version) == 12


def test_a_load_that_fails_changes_nothing(lake: LakeSnapshots, tmp_path: Path) -> None:
    lake.publish(left_by_a_run(write_snapshots(tmp_path / "run")), NOBODY)
    before = {blob.name: blob.etag for blob in client().list_blobs()}

    def fail(file: Path) -> None:
        write_catalogue(file.parent, {"z": "x"})
        raise ValueError("row 7 is wrong")

    with pytest.raises(ValueError, match="row 7"):
        lake.change_catalogue(fail)
    assert {blob.name: blob.etag for blob in client().list_blobs()} == before


def test_an_old_run_whose_histories_are_gone_leaves_the_newer_ones(lake: LakeSnapshots, tmp_path: Path) -> None:
    old = left_by_a_run(write_snapshots(tmp_path / "old"))
    lake.publish(old, NOBODY)
    newer = write_snapshots(tmp_path / "newer")
    histories.write(newer / histories.FILE, ["b"], [], "user_id")
    made = left_by_a_run(newer)
    lake.publish(made, NOBODY)
    lake.publish(old, NOBODY)
    assert any(made[histories.FILE] in blob.name for blob in client().list_blobs())
    assert not any(old[histories.FILE] in blob.name for blob in client().list_blobs())


@pytest.mark.parametrize("in_place", [False, True])
def test_catalogue_load_changes_the_catalogue_in_the_lake_or_nothing(
    lake: LakeSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_place: bool
) -> None:
    monkeypatch.setattr(azure_models, "names_of", ExampleNames)
    run = write_snapshots(tmp_path / "run")
    former = [ItemRow(key, {"genre": "crime", "minutes": "1", "critics_score": "2"}, State.TRAINED) for key in "abcd"]
    catalogue.write(run / catalogue.FILE, former, LAYOUT)
    lake.publish(left_by_a_run(run), NOBODY)
    settings = tmp_path / "mine.yaml"
    azure = SETTINGS.model_dump(mode="json", exclude_unset=True)
    spec = ROOT / "examples" / "tables" / "dataset.yaml"
    if in_place:
        spec = tmp_path / "dataset.yaml"
        spec.write_text(config_in_place())
    tables = {"kind": "tables", "spec": str(spec)}
    config = {"target": "azure", "azure": azure, "dataset": tables}
    settings.write_text(yaml.safe_dump({"config": {f"personalization:{name}": one for name, one in config.items()}}))
    items = tmp_path / "items.csv"
    items.write_text("item_id,genre,minutes,critics_score\na,crime,135,2.9\nz,comedy,90,3.5\n")
    load_catalogue(Action.LOAD, items, stack="test", config_file=settings)
    wanted = dict.fromkeys("bcd", State.WITHDRAWN) | {"a": State.LOADED, "z": State.LOADED}
    found: dict[str, State] = {}
    lake.change_catalogue(lambda file: found.update(states(file)))
    assert found == wanted

    before = {blob.name: blob.etag for blob in client().list_blobs()}
    items.write_text("item_id,genre,minutes,critics_score\na,crime,135,2.9\nz,comedy,long,3.5\n")
    with pytest.raises(DatasetError, match="minutes"):
        load_catalogue(Action.LOAD, items, stack="test", config_file=settings)
    assert {blob.name: blob.etag for blob in client().list_blobs()} == before
