"""What each version has in the lake: what its run has made, what was loaded since, and for how long it is kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from azure_clients.retries import Timeout
from features.bundle import checked_hash
from personalize.commands.data import Action
from personalize.commands.data import catalogue as load_catalogue
from personalize.stack import azure_models
from recommend import catalogue, histories
from recommend.catalogue import ItemRow, Layout, State
from steps.champion import ChampionOnAzure
from steps.model_version import ModelVersionOnAzure
from steps.snapshots_on_azure import LakeSnapshots
from tests.steps.provider.azure.conftest import BLOB, MACHINE_LEARNING, Cloud
from tests.steps.provider.azure.examples import config_in_place
from tests.steps.provider.azure.test_cli_models import SETTINGS, ExampleNames
from tests.steps.provider.azure.test_models import candidate
from tests.steps.provider.azure.test_snapshots import (
    NEXT,
    VERSION,
    client,
    lake,
    left_by_a_run,
    other_users,
    states,
    users_in_the_lake,
)
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import create
from tests.support.recommenders import make_recommending_bundle, recommender, write_catalogue, write_snapshots
from tools import azurite
from tools.paths import ROOT
from training.datasets.errors import DatasetError

__all__ = ["lake"]
pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
TIMEOUT = Timeout(seconds=20, pause=0.1)
LAYOUT = Layout(item_column="item_id", separators=dict.fromkeys(("genre", "minutes", "critics_score"), ""))


def test_a_run_that_made_no_histories_leaves_the_users_known_that_are_known(
    lake: LakeSnapshots, tmp_path: Path
) -> None:
    made = left_by_a_run(write_snapshots(tmp_path / "run"))
    lake.publish(Path(VERSION), None, made)
    lake.publish(Path(NEXT), VERSION, {})
    assert lake.of(NEXT)[histories.FILE] == made[histories.FILE]
    lake.keep({NEXT})
    assert users_in_the_lake() == {made[histories.FILE]}, "which both had"


def test_what_a_rejected_candidate_s_run_has_made_goes_unless_a_version_has_it(
    lake: LakeSnapshots, tmp_path: Path
) -> None:
    served, rejected = write_snapshots(tmp_path / "served"), other_users(tmp_path / "rejected")
    made = left_by_a_run(served)
    lake.publish(Path(VERSION), None, made)
    awaited = write_snapshots(tmp_path / "awaited")
    histories.write(awaited / histories.FILE, [], [], "user_id")
    waiting = left_by_a_run(awaited)
    lake.discard(left_by_a_run(rejected) | {"same": made[histories.FILE]})
    assert users_in_the_lake() == {made[histories.FILE], waiting[histories.FILE]}, "another run's is yet to come"


def test_what_was_loaded_outlives_training_and_a_load_that_comes_between(lake: LakeSnapshots, tmp_path: Path) -> None:
    run = write_snapshots(tmp_path / "run")
    lake.publish(Path(VERSION), None, left_by_a_run(run))
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
    lake.publish(Path(VERSION), None, left_by_a_run(run))
    found: dict[str, State] = {}
    lake.change_catalogue(VERSION, lambda file: found.update(states(file)))
    assert found == {"a": State.WITHDRAWN, "b": State.WITHDRAWN, "c": State.TRAINED, "d": State.TRAINED}
    assert len(version) == 12


def test_a_load_that_fails_changes_nothing(lake: LakeSnapshots, tmp_path: Path) -> None:
    lake.publish(Path(VERSION), None, left_by_a_run(write_snapshots(tmp_path / "run")))
    before = {blob.name: blob.etag for blob in client().list_blobs()}

    def fail(file: Path) -> None:
        write_catalogue(file.parent, {"z": "x"})
        raise ValueError("row 7 is wrong")

    with pytest.raises(ValueError, match="row 7"):
        lake.change_catalogue(VERSION, fail)
    assert {blob.name: blob.etag for blob in client().list_blobs()} == before


def test_a_candidate_whose_histories_are_gone_knows_nobody(lake: LakeSnapshots, tmp_path: Path) -> None:
    made = left_by_a_run(write_snapshots(tmp_path / "run"))
    lake.publish(Path(VERSION), None, made)
    lake.keep(set())
    lake.publish(Path(VERSION), None, made)
    assert [*lake.of(VERSION)] == [catalogue.FILE]


@pytest.mark.parametrize("load_first", [False, True])
def test_what_is_loaded_while_a_version_is_published_holds_for_it(
    lake: LakeSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, load_first: bool
) -> None:
    lake.publish(Path(VERSION), None, left_by_a_run(write_snapshots(tmp_path / "run")))
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
    cloud: Cloud, lake: LakeSnapshots, tmp_path: Path
) -> None:
    cloud.world.set("ml_assets", {})
    step, mark = (kind(lambda stack: tmp_path / stack, TIMEOUT) for kind in (ModelVersionOnAzure, ChampionOnAzure))
    hashes: list[str] = []

    def serve(inputs: dict[str, Any]) -> None:
        version = create(step, inputs, Recorder()).outputs.version
        create(
            mark,
            {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": version, "refusal": ""},
            Recorder(),
        )

    for number in (1, 2, 3):
        made = replace(recommender(), items=["a", f"b{number}", "c", "d", "17"])
        bundle = make_recommending_bundle(tmp_path / f"bundle-{number}", made)
        serve(candidate(tmp_path, bundle))
        hashes.append(checked_hash(bundle))
        lake.publish(
            Path(hashes[-1]), hashes[-2] if len(hashes) > 1 else None, left_by_a_run(write_snapshots(tmp_path / "run"))
        )
    for requested in ("2", "1"):
        serve(candidate(tmp_path, tmp_path / "bundle-3", requested))
    assert [lake.knows_users(one) for one in hashes] == [False, True, True]


def served(cloud: Cloud, tmp_path: Path) -> str:
    """The hash of the bundle of a version that serves, the only one that is registered."""
    cloud.world.set("ml_assets", {})
    made = make_recommending_bundle(tmp_path / "bundle", recommender())
    create(ModelVersionOnAzure(lambda stack: tmp_path / stack, TIMEOUT), candidate(tmp_path, made), Recorder())
    serving = {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": 1, "refusal": ""}
    create(ChampionOnAzure(lambda stack: tmp_path / stack, TIMEOUT), serving, Recorder())
    return checked_hash(made)


@pytest.mark.parametrize("in_place", [False, True])
def test_catalogue_load_changes_the_catalogue_in_the_lake_or_nothing(
    cloud: Cloud, lake: LakeSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_place: bool
) -> None:
    monkeypatch.setattr(azure_models, "names_of", ExampleNames)
    version = served(cloud, tmp_path)
    run = write_snapshots(tmp_path / "run")
    former = [ItemRow(key, {"genre": "crime", "minutes": "1", "critics_score": "2"}, State.TRAINED) for key in "abcd"]
    catalogue.write(run / catalogue.FILE, former, LAYOUT)
    lake.publish(Path(version), None, left_by_a_run(run))
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
    lake.change_catalogue(version, lambda file: found.update(states(file)))
    assert found == wanted

    before = {blob.name: blob.etag for blob in client().list_blobs()}
    items.write_text("item_id,genre,minutes,critics_score\na,crime,135,2.9\nz,comedy,long,3.5\n")
    with pytest.raises(DatasetError, match="minutes"):
        load_catalogue(Action.LOAD, items, stack="test", config_file=settings)
    assert {blob.name: blob.etag for blob in client().list_blobs()} == before
