"""The training job: what it reads and writes on the volumes, in place, and how it fails."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.bundle import Bundle, checked_hash
from recommend.stored import FOLDER
from tests.support.bundles import make_bundle
from tests.support.recommenders import write_snapshots
from training import databricks
from training.databricks import COMPLETE, RESULT, JobFailedError, VolumeError, main
from training.datasets import describe
from training.datasets.manifest import RECORD, File, Manifest, manifest, recorded
from training.datasets.placed.dataset import volume_of
from training.datasets.placed.listing import Address
from training.errors import DatasetError
from training.parameters import CriteoDataset
from training.request import TrainingRequest
from training.result import Result

Seen = list[tuple[TrainingRequest, Manifest]]
ROWS = "".join(f"{label}\t3" + "\t" * 38 + "\n" for label in "10")
"""Two rows of Criteo's format."""


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Volumes with data, on a cluster that can use them."""
    data = tmp_path / "volumes" / "raw" / "data"
    data.mkdir(parents=True)
    (data / "interactions.tsv").write_text(ROWS)
    monkeypatch.setattr(databricks, "try_volumes", lambda *_, **__: None)
    return tmp_path / "volumes"


def request(volumes: Path, **changes: Any) -> str:
    """A request as the step writes it."""
    asked = {
        "dataset": {"kind": "films", "users": 100, "films": 50, "seed": 42},
        "training": {"num_leaves": 7},
        "manifest_hash": "a" * 64,
        "data": str(volumes / "raw" / "data"),
        "fetch": False,
        "champion": None,
        "output": str(volumes / "models" / "runs" / "1"),
        "work": str(volumes / "work"),
    }
    return json.dumps(asked | changes)


def trained(tmp_path: Path, seen: Seen) -> Callable[[TrainingRequest, Manifest], Result]:
    """A run that needs no Spark."""

    def train(arguments: TrainingRequest, manifest: Manifest) -> Result:
        seen.append((arguments, manifest))
        assert arguments.data is not None
        assert (arguments.data / "interactions.tsv").is_file()
        assert arguments.champion is None or Bundle.load(arguments.champion, mapped=False)
        bundle = make_bundle(tmp_path / f"bundle-{len(seen)}", rows=300, seed=len(seen), trees=2)
        return Result(
            metrics={"auc": 0.75},
            bundle=str(bundle),
            bundle_hash=checked_hash(bundle),
            verdict=Bundle.load(bundle).metadata.verdict,
            report=str(bundle / "report.html"),
            rows={},
            seconds={},
        )

    return train


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The runs, which need no Spark."""
    runs: Seen = []
    monkeypatch.setattr(databricks, "train", trained(tmp_path, runs))
    return runs


def test_a_run_reads_the_data_where_it_lies_and_leaves_its_bundle_there(volumes: Path, seen: Seen) -> None:
    main([request(volumes)])
    ((arguments, manifest),) = seen
    assert arguments.training.num_leaves == 7
    assert manifest.hash == "a" * 64
    assert arguments.data == volumes / "raw" / "data"
    left = volumes / "models" / "runs" / "1"
    assert json.loads((left / RESULT).read_text())["bundle_hash"] == checked_hash(left / "bundle")


def test_histories_and_catalogue_go_to_folders_that_their_hashes_name_and_nowhere_else(
    volumes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trained(tmp_path, [])

    def train(arguments: TrainingRequest, manifest: Manifest) -> Result:
        assert arguments.output is not None
        write_snapshots(arguments.output / FOLDER)
        return plain(arguments, manifest)

    monkeypatch.setattr(databricks, "train", train)
    main([request(volumes, snapshots=str(volumes / "snapshots" / "served"))])
    files = list(volumes.rglob("*.sqlite"))
    assert sorted(file.name for file in files) == ["catalogue.sqlite", "histories.sqlite"]
    named = json.loads((volumes / "models" / "runs" / "1" / "snapshots.json").read_text())
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert file == volumes / "snapshots" / "served" / digest / file.name
        assert named[file.name] == digest


def test_what_a_run_reads_in_place_is_tried_first_and_recorded_beside_its_result(
    volumes: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[dict[Path, str]] = []
    monkeypatch.setattr(databricks, "try_volumes", lambda *_, placed, **__: tried.append(placed))
    folder = Address("shoplake", "events", "clicks")
    day = File(partition="day_0", path=f"{folder}/day_0.tsv", size=5, identity="0x8D")
    listing = manifest("criteo", "1 file", [day])
    (volumes / "raw" / "data" / RECORD).write_bytes(msgspec.json.encode(listing))
    main([request(volumes)])
    assert tried == [{volumes / volume_of(folder): str(folder)}]
    assert [found for _, found in seen] == [listing]
    assert recorded(volumes / "models" / "runs" / "1") == listing


def test_all_machines_see_the_intermediate_files_and_only_the_driver_the_unfinished_bundle(
    volumes: Path, seen: Seen
) -> None:
    main([request(volumes)])
    ((arguments, _),) = seen
    assert arguments.work is not None
    assert arguments.output is not None
    assert arguments.work.is_relative_to(volumes / "work")
    assert not arguments.output.is_relative_to(volumes)
    assert not arguments.output.parent.exists()
    assert list((volumes / "work").iterdir()) == []


def test_a_bundle_that_a_broken_off_run_left_is_replaced_whole(volumes: Path, seen: Seen) -> None:
    rest = volumes / "models" / "runs" / "1" / "bundle" / "more.txt"
    rest.parent.mkdir(parents=True)
    rest.write_text("of another run")
    main([request(volumes)])
    assert seen
    checked_hash(rest.parent)


@pytest.mark.usefixtures("seen")
def test_data_that_is_not_in_the_lake_is_brought_for_the_next_run_too(volumes: Path) -> None:
    new = volumes / "raw" / "new"
    new.mkdir()
    (new / "_OWNER").write_text("the step that may delete it")
    (volumes.parent / "rows.tsv").write_text(ROWS)
    dataset = CriteoDataset(kind="criteo", path=str(volumes.parent / "rows.tsv"))
    wanted = describe(dataset).hash
    main([request(volumes, dataset=dataset.model_dump(), manifest_hash=wanted, data=str(new), fetch=True)])
    assert (new / COMPLETE).read_text() == wanted
    assert (new / "interactions.tsv").read_text() == ROWS
    assert (new / "_OWNER").exists()


def test_a_run_that_fails_raises_its_own_sentence_and_leaves_nothing(
    volumes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: TrainingRequest, __: Manifest) -> Result:
        raise DatasetError("The label has one class only.")

    monkeypatch.setattr(databricks, "train", fail)
    with pytest.raises(JobFailedError, match=r"^error: The label has one class only\.$"):
        main([request(volumes)])
    assert not (volumes / "models").exists()
    assert list((volumes / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "written"),
    [
        ({}, []),
        ({"fetch": True}, ["raw"]),
        ({"snapshots": "{}/snapshots/served"}, ["snapshots"]),
    ],
)
def test_the_volumes_are_tried_before_anything_takes_long(
    volumes: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], written: list[str]
) -> None:
    tried: dict[str, set[str]] = {}

    def refuse(*, read: list[Path], written: list[Path], **__: object) -> None:
        tried["read"] = {path.relative_to(volumes).parts[0] for path in read}
        tried["written"] = {path.relative_to(volumes).parts[0] for path in written}
        raise VolumeError("The job's identity can't write.")

    monkeypatch.setattr(databricks, "try_volumes", refuse)
    with pytest.raises(JobFailedError, match="can't write"):
        main([request(volumes, **changes).replace("{}", str(volumes))])
    assert tried == {"read": {"raw"}, "written": {"models", "work", *written}}
    assert seen == []
