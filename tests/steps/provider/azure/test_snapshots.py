"""Users' histories and the catalogue in the lake: published after training, loaded between, followed by the pods."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azure_clients.credentials import container
from azure_clients.retries import Timeout
from infra.cloud.role_list import Role
from recommend import catalogue, histories
from recommend.catalogue import State
from recommend.histories import Histories
from scoring.errors import FetchError
from scoring.worker.snapshots import Lake
from steps.snapshots_on_azure import LakeSnapshots
from steps.step import Context
from steps.step import Lake as LakePlace
from tests.simulation.services.authorization import IDENTITY, ROLE_ASSIGNMENT
from tests.steps.provider.azure.conftest import AZURE, BLOB, TENANT, Cloud
from tests.steps.provider.azure.examples import LAKE, give
from tests.support.recommenders import make_recommending_bundle, recommender, write_snapshots
from tools import azurite

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
VERSION, NEXT = "a" * 64, "b" * 64
"""Hashes of bundles."""


@pytest.fixture
def lake(cloud: Cloud) -> LakeSnapshots:
    """The stack's snapshots, of which there are none."""
    del cloud  # what matters is its environment
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
    container, principal = f"{LAKE}/blobServices/default/containers/snapshots", identity(cloud)["principalId"]
    made = give(cloud.arm, Role.BLOB_DATA_READER, container, principal, "ServicePrincipal")
    yield
    cloud.arm.delete(ROLE_ASSIGNMENT, made)


def address(version: str) -> str:
    return f"{BLOB}snapshots/files/served/{version}"


def other_users(folder: Path) -> Path:
    """The snapshots of a run that found another user."""
    write_snapshots(folder)
    chosen = b"\0\0\0\0"
    histories.write(folder / histories.FILE, ["b"], [histories.UserRow("u9", chosen, {})], "user_id")
    return folder


def users_in_the_lake() -> set[str]:
    """The hashes of all histories that are in the lake."""
    names = (blob.name for blob in client().list_blobs())
    return {name.split("/")[-2] for name in names if name.endswith(histories.FILE)}


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
    service = Lake(address(VERSION), pod)
    service.fetch()
    assert not pod.exists(), "there is nothing yet"
    first = write_snapshots(tmp_path / "first")
    lake.publish(Path(VERSION), None, left_by_a_run(first))
    service.fetch()
    assert (pod / histories.FILE).read_bytes() == (first / histories.FILE).read_bytes()
    assert states(pod / catalogue.FILE) == dict.fromkeys("abcd", State.TRAINED)
    assert (pod / histories.FILE).stat().st_mode & 0o777 == 0o600

    again = write_snapshots(tmp_path / "again")
    histories.write(again / histories.FILE, ["b"], [histories.UserRow("u9", b"", {})], "user_id")
    made = left_by_a_run(again)
    lake.publish(Path(VERSION), VERSION, made)
    service.fetch()
    assert Histories(pod / histories.FILE, ["b"]).find("u9") is not None
    assert users_in_the_lake() == {made[histories.FILE]}, "the former users' histories are gone"


@pytest.mark.usefixtures("allowed")
def test_another_version_has_its_own_and_the_pods_of_both_keep_theirs(
    lake: LakeSnapshots, pod: Path, tmp_path: Path
) -> None:
    first, second = left_by_a_run(write_snapshots(tmp_path / "first")), left_by_a_run(other_users(tmp_path / "second"))
    lake.publish(Path(VERSION), None, first)
    lake.publish(Path(NEXT), VERSION, second)
    services = {version: Lake(address(version), pod / version) for version in (VERSION, NEXT)}
    for service in services.values():
        service.fetch()
    found = {version: Histories(pod / version / histories.FILE, []).active_users() for version in services}
    assert found == {VERSION: ["3", "u1"], NEXT: ["u9"]}
    assert users_in_the_lake() == {first[histories.FILE], second[histories.FILE]}

    lake.keep({NEXT})
    assert (lake.of(VERSION), users_in_the_lake()) == ({}, {second[histories.FILE]})
    services[VERSION].fetch()
    assert found[VERSION] == Histories(pod / VERSION / histories.FILE, []).active_users(), "its pods go with it"


@pytest.mark.usefixtures("allowed")
def test_a_version_without_histories_knows_nobody_and_has_its_own_items(
    lake: LakeSnapshots, pod: Path, tmp_path: Path
) -> None:
    lake.publish(Path(VERSION), None, left_by_a_run(write_snapshots(tmp_path / "run")))
    older = make_recommending_bundle(tmp_path / "older", replace(recommender(), items=["a", "old", "c", "d", "17"]))
    lake.publish(older, VERSION, None)
    Lake(address(older.name), pod).fetch()
    assert Histories(pod / histories.FILE, []).find("u1") is None
    assert [*states(pod / catalogue.FILE)] == ["a", "b", "c", "d", "old", "17"]


@pytest.mark.usefixtures("allowed")
def test_an_altered_snapshot_is_refused_and_the_former_one_stays(
    lake: LakeSnapshots, pod: Path, tmp_path: Path
) -> None:
    service = Lake(address(VERSION), pod)
    lake.publish(Path(VERSION), None, left_by_a_run(write_snapshots(tmp_path / "first")))
    service.fetch()
    before = (pod / catalogue.FILE).read_bytes()
    lake.change_catalogue(VERSION, lambda file: catalogue.write(file, [], catalogue.read_rows(file)[1]))
    (name,) = (blob.name for blob in client().list_blobs() if blob.name.endswith(catalogue.FILE))
    client().upload_blob(name, before[:-1], overwrite=True)
    for _ in range(2):
        with pytest.raises(FetchError, match="incomplete or was altered"):
            service.fetch()
    assert (pod / catalogue.FILE).read_bytes() == before


def test_pods_without_the_role_say_so(lake: LakeSnapshots, pod: Path, tmp_path: Path) -> None:
    lake.publish(Path(VERSION), None, left_by_a_run(write_snapshots(tmp_path / "first")))
    with pytest.raises(FetchError, match=r"403.*role of the pods' identity"):
        Lake(address(VERSION), pod).fetch()
    assert not pod.exists()
