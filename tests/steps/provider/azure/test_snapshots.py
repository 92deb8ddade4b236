"""Users' histories and the catalogue in the lake: published after training, loaded between, followed by the pods."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azure_clients.resources import Lake as LakePlace
from azure_clients.snapshots import LakeSnapshots
from features.bundle import checked_hash
from features.errors import PersonalizationError
from features.values import KeyRule
from infra.cloud.role_list import Role
from recommend import catalogue, histories
from recommend.catalogue import ItemRow, State
from recommend.forgotten import FILE, NOBODY, Forgotten
from recommend.histories import Histories
from recommend.published import LISTED
from scoring.worker.snapshots import FetchError, Lake
from steps.champion import ChampionOnAzure
from steps.model_version import ModelVersionOnAzure
from tests.simulation.services.authorization import IDENTITY, ROLE_ASSIGNMENT
from tests.steps.provider.azure.conftest import BLOB, TENANT, Cloud, container
from tests.steps.provider.azure.examples import LAKE, give
from tests.steps.provider.azure.test_models import candidate, served
from tests.steps.provider.steps import Recorder, Take
from tests.support.recommenders import make_recommending_bundle, recommender, write_catalogue, write_snapshots

VERSION, NEXT = "a" * 64, "b" * 64
"""Hashes of bundles."""


@pytest.fixture
def lake(cloud: Cloud, recorder: Recorder) -> LakeSnapshots:
    """The stack's snapshots, of which there are none."""
    del cloud  # what matters is its environment
    return LakeSnapshots(LakePlace(tenant=TENANT, blob_endpoint=BLOB), recorder.context)


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
    place, principal = f"{LAKE}/blobServices/default/containers/snapshots", identity(cloud)["principalId"]
    made = give(cloud.arm, Role.BLOB_DATA_READER, place, principal, "ServicePrincipal")
    yield
    cloud.arm.delete(ROLE_ASSIGNMENT, made)


def identity(cloud: Cloud) -> dict[str, Any]:
    (found,) = cloud.world.all(IDENTITY)
    return dict(found.outputs)


def address(version: str) -> str:
    return f"{BLOB}snapshots/files/served/{version}"


def client() -> Any:
    return container("snapshots")


def stored() -> dict[str, str]:
    """All files in the lake, with the tags that change when they are written."""
    return {blob.name: blob.etag for blob in client().list_blobs()}


def overwrite(ending: str, content: bytes) -> None:
    """Write the only file whose name ends so."""
    (name,) = (name for name in stored() if name.endswith(ending))
    client().upload_blob(name, content, overwrite=True)


def users_in_the_lake() -> set[str]:
    """The hashes of all histories that are in the lake."""
    return {name.split("/")[-2] for name in stored() if name.endswith(histories.FILE)}


def other_users(folder: Path) -> Path:
    """The snapshots of a run that found another user."""
    write_snapshots(folder)
    chosen = b"\0\0\0\0"
    histories.write(folder / histories.FILE, ["b"], [histories.UserRow("u9", chosen, {})], "user_id")
    return folder


def left_by_a_run(folder: Path) -> dict[str, str]:
    """Upload the files of a folder as the job leaves them."""
    made = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.sqlite")}
    for name, digest in made.items():
        client().upload_blob(f"files/served/{digest}/{name}", (folder / name).read_bytes(), overwrite=True)
    return made


@pytest.fixture
def first(lake: LakeSnapshots, tmp_path: Path) -> dict[str, str]:
    """The snapshots of the first version, by the hashes under which its run left them."""
    made = left_by_a_run(write_snapshots(tmp_path / "first"))
    lake.publish(Path(VERSION), None, made)
    return made


def states(file: Path) -> dict[str, State]:
    return {row.key: row.state for row in catalogue.read_rows(file)[0]}


def in_catalogue(lake: LakeSnapshots, version: str) -> dict[str, State]:
    """The states of the items of a version."""
    found: dict[str, State] = {}
    lake.change_catalogue(version, lambda file: found.update(states(file)))
    return found


@pytest.mark.usefixtures("allowed")
class TestPods:
    """What the service's pods fetch."""

    def test_they_get_what_training_has_made_and_follow_what_replaces_it(
        self, lake: LakeSnapshots, pod: Path, tmp_path: Path
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
        made = left_by_a_run(other_users(tmp_path / "again"))
        lake.publish(Path(VERSION), VERSION, made)
        service.fetch()
        assert Histories(pod / histories.FILE, ["b"]).find("u9") is not None
        assert users_in_the_lake() == {made[histories.FILE]}, "the former users' histories are gone"

    def test_another_version_has_its_own_and_the_pods_of_both_keep_theirs(
        self, lake: LakeSnapshots, first: dict[str, str], pod: Path, tmp_path: Path
    ) -> None:
        second = left_by_a_run(other_users(tmp_path / "second"))
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

    @pytest.mark.usefixtures("first")
    def test_a_version_without_histories_knows_nobody_and_has_its_own_items(
        self, lake: LakeSnapshots, pod: Path, tmp_path: Path
    ) -> None:
        older = make_recommending_bundle(tmp_path / "older", replace(recommender(), items=["a", "old", "c", "d", "17"]))
        lake.publish(older, VERSION, None)
        Lake(address(older.name), pod).fetch()
        assert Histories(pod / histories.FILE, []).find("u1") is None
        assert [*states(pod / catalogue.FILE)] == ["a", "b", "c", "d", "old", "17"]

    @pytest.mark.usefixtures("first")
    def test_an_altered_snapshot_is_refused_and_the_former_one_stays(self, lake: LakeSnapshots, pod: Path) -> None:
        service = Lake(address(VERSION), pod)
        service.fetch()
        before = (pod / catalogue.FILE).read_bytes()
        lake.change_catalogue(VERSION, lambda file: catalogue.write(file, [], catalogue.read_rows(file)[1]))
        overwrite(catalogue.FILE, before[:-1])
        for _ in range(2):
            with pytest.raises(FetchError, match="incomplete or was altered"):
                service.fetch()
        assert (pod / catalogue.FILE).read_bytes() == before

    def test_the_list_of_the_forgotten_is_fetched_and_one_that_was_altered_replaces_none(
        self, lake: LakeSnapshots, pod: Path
    ) -> None:
        def forgotten() -> list[bool]:
            return [user in Forgotten.load(pod.parent / FILE) for user in ("u1", "u2")]

        service = Lake(address(VERSION), pod)
        service.fetch()
        assert service.has_no_list, "Azure says so"
        lake.forget("u1")
        service.fetch()
        assert forgotten() == [True, False]
        assert (pod.parent / FILE).stat().st_mode & 0o777 == 0o600
        overwrite(FILE, b"{}")
        for _ in range(2):
            with pytest.raises(PersonalizationError, match=r"forgotten\.json.* was altered"):
                service.fetch()
        assert forgotten() == [True, False]
        overwrite(FILE, NOBODY.with_user("u2").encode())
        service.fetch()
        assert forgotten() == [False, True]

    @pytest.mark.usefixtures("first")
    @pytest.mark.parametrize("wrong", [FILE, histories.FILE, catalogue.FILE])
    def test_a_file_that_is_wrong_withholds_no_other(self, lake: LakeSnapshots, pod: Path, wrong: str) -> None:
        lake.forget("u3")
        overwrite(wrong, b"altered")
        with pytest.raises(PersonalizationError, match="altered"):
            Lake(address(VERSION), pod).fetch()
        files = {FILE: pod.parent / FILE, **{name: pod / name for name in (histories.FILE, catalogue.FILE)}}
        found = {name for name, file in files.items() if file.exists()}
        assert found == {FILE, histories.FILE, catalogue.FILE} - {wrong}


@pytest.mark.usefixtures("first")
def test_pods_without_the_role_say_so(pod: Path) -> None:
    with pytest.raises(FetchError, match=r"403.*role of the pods' identity"):
        Lake(address(VERSION), pod).fetch()
    assert not pod.exists()


def test_a_run_that_made_no_histories_leaves_the_users_known_that_are_known(
    lake: LakeSnapshots, first: dict[str, str]
) -> None:
    lake.publish(Path(NEXT), VERSION, {})
    assert lake.of(NEXT)[histories.FILE] == first[histories.FILE]
    lake.keep({NEXT})
    assert users_in_the_lake() == {first[histories.FILE]}, "which both had"


def test_what_a_rejected_candidate_s_run_has_made_goes_unless_a_version_has_it(
    lake: LakeSnapshots, first: dict[str, str], tmp_path: Path
) -> None:
    awaited = write_snapshots(tmp_path / "awaited")
    histories.write(awaited / histories.FILE, [], [], "user_id")
    waiting = left_by_a_run(awaited)
    lake.discard(left_by_a_run(other_users(tmp_path / "rejected")) | {"same": first[histories.FILE]})
    assert users_in_the_lake() == {first[histories.FILE], waiting[histories.FILE]}, "another run's is yet to come"


def test_what_was_loaded_outlives_training_and_a_load_that_comes_between(
    lake: LakeSnapshots, first: dict[str, str]
) -> None:
    loads: list[str] = []

    def withdraw(file: Path, key: str) -> str:
        rows, layout = catalogue.read_rows(file)
        loads.append(key)
        if loads == ["a"]:
            lake.change_catalogue(VERSION, lambda other: withdraw(other, "b"))
        kept = [ItemRow(row.key, {}, State.WITHDRAWN) if row.key == key else row for row in rows]
        return catalogue.write(file, kept, layout)

    version = lake.change_catalogue(VERSION, lambda file: withdraw(file, "a"))
    assert loads == ["a", "b", "a"], "made again from what came between"
    assert len(version) == 12
    lake.publish(Path(VERSION), None, first)
    withdrawn = {"a": State.WITHDRAWN, "b": State.WITHDRAWN}
    assert in_catalogue(lake, VERSION) == {**withdrawn, "c": State.TRAINED, "d": State.TRAINED}


@pytest.mark.usefixtures("first")
def test_a_load_that_fails_changes_nothing(lake: LakeSnapshots) -> None:
    before = stored()

    def fail(file: Path) -> None:
        write_catalogue(file.parent, {"z": "x"})
        raise ValueError("row 7 is wrong")

    with pytest.raises(ValueError, match="row 7"):
        lake.change_catalogue(VERSION, fail)
    assert stored() == before


def test_a_candidate_whose_histories_are_gone_knows_nobody(lake: LakeSnapshots, first: dict[str, str]) -> None:
    lake.keep(set())
    lake.publish(Path(VERSION), None, first)
    assert [*lake.of(VERSION)] == [catalogue.FILE]


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("load_first", [False, True])
def test_what_is_loaded_while_a_version_is_published_holds_for_it(
    lake: LakeSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, load_first: bool
) -> None:
    second = left_by_a_run(other_users(tmp_path / "second"))
    carry_over = catalogue.carry_over

    def withdraw(file: Path) -> None:
        rows, layout = catalogue.read_rows(file)
        if load_first:
            monkeypatch.setattr(catalogue, "carry_over", carry_over)
            lake.publish(Path(NEXT), VERSION, second)
        catalogue.write(file, [row._replace(state=State.WITHDRAWN) if row.key == "a" else row for row in rows], layout)

    def meanwhile(*arguments: Any) -> None:
        monkeypatch.setattr(catalogue, "carry_over", carry_over)
        carry_over(*arguments)
        lake.change_catalogue(VERSION, withdraw)

    if load_first:
        lake.change_catalogue(VERSION, withdraw)
    else:
        monkeypatch.setattr(catalogue, "carry_over", meanwhile)
        lake.publish(Path(NEXT), VERSION, second)
    lake.fetch(NEXT, tmp_path / "found")
    assert states(tmp_path / "found" / catalogue.FILE)["a"] is State.WITHDRAWN


def test_after_two_rollbacks_the_latest_version_still_knows_its_users(
    lake: LakeSnapshots, tmp_path: Path, take: Take
) -> None:
    hashes: list[str] = []

    def serve(inputs: dict[str, Any]) -> None:
        take(ChampionOnAzure, served(take(ModelVersionOnAzure, inputs).outputs.version))

    for number in (1, 2, 3):
        made = replace(recommender(), items=["a", f"b{number}", "c", "d", "17"])
        bundle = make_recommending_bundle(tmp_path / f"bundle-{number}", made)
        serve(candidate(bundle))
        former = hashes[-1] if hashes else None
        hashes.append(checked_hash(bundle))
        lake.publish(Path(hashes[-1]), former, left_by_a_run(write_snapshots(tmp_path / "run")))
    for requested in ("2", "1"):
        serve(candidate(tmp_path / "bundle-3", requested))
    assert [lake.knows_users(one) for one in hashes] == [False, True, True]


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


def test_a_list_that_somebody_else_changes_meanwhile_keeps_both(
    lake: LakeSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Forgotten.with_user

    def meanwhile(users: Forgotten, user: str, rule: KeyRule) -> Forgotten:
        monkeypatch.setattr(Forgotten, "with_user", once)
        lake.forget("u2")
        return once(users, user, rule)

    monkeypatch.setattr(Forgotten, "with_user", meanwhile)
    lake.forget("u1")
    assert all(user in lake.forgotten() for user in ("u1", "u2"))
