"""The training job: what it reads from the data lake, what it writes there, and how it fails."""

import json
import shutil
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.bundle import Bundle, checked_hash
from tests.support.bundles import make_bundle
from training import databricks
from training.databricks import COMPLETE, RESULT, JobFailedError, main
from training.datasets.errors import DatasetError
from training.datasets.manifest import Manifest
from training.request import LocalRequest
from training.result import Result


class Lake:
    """A `dbutils.fs` whose `abfss:` URLs are local folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, url: str) -> Path:
        return Path(url.removeprefix("file:")) if url.startswith("file:") else self.folder / url.split("://")[1]

    def cp(self, source: str, target: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002 - Databricks' own
        start, end = self.path(source), self.path(target)
        end.parent.mkdir(parents=True, exist_ok=True)
        assert start.is_dir() == recurse
        shutil.copytree(start, end, dirs_exist_ok=True) if recurse else shutil.copyfile(start, end)
        return True


def session(master: str) -> type:
    """A stand-in for `SparkSession` on a cluster with this master."""

    class Session:
        """A session."""

        class builder:  # noqa: N801 - Spark's own name
            """Gives the session."""

            @staticmethod
            def getOrCreate() -> Any:  # noqa: N802 - Spark's own name
                return types.SimpleNamespace(sparkContext=types.SimpleNamespace(master=master))

    return Session


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A data lake with data, and a stand-in for the runtime."""
    made = Lake(tmp_path / "lake")
    (made.folder / "raw@l" / "data" / "dt=all").mkdir(parents=True)
    (made.folder / "raw@l" / "data" / "dt=all" / "part-00000.tsv").write_text("row\n")
    monkeypatch.setattr(databricks, "_files", lambda: made)
    monkeypatch.setattr(databricks, "SparkSession", session("local[*, 4]"))
    return made


def request(**changes: Any) -> str:
    """A request as the step writes it."""
    asked = {
        "dataset": {"kind": "synthetic", "rows": 1000, "seed": 42},
        "training": {"num_leaves": 7},
        "manifest_hash": "a" * 64,
        "data": "abfss://raw@l/data",
        "fetch": False,
        "champion": None,
        "output": "abfss://models@l/runs/1",
    }
    return json.dumps(asked | changes)


def trained(tmp_path: Path, seen: list[tuple[LocalRequest, Manifest]]) -> Callable[[LocalRequest, Manifest], Result]:
    """A run that needs no Spark."""

    def train(arguments: LocalRequest, manifest: Manifest) -> Result:
        seen.append((arguments, manifest))
        assert arguments.data is not None
        assert list(arguments.data.glob("dt=*/part-*"))
        bundle = make_bundle(tmp_path / "bundle", rows=300, seed=1, trees=2)
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


def test_a_run_takes_its_data_from_the_lake_and_leaves_its_bundle_there(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[LocalRequest, Manifest]] = []
    monkeypatch.setattr(databricks, "train", trained(tmp_path, seen))
    main([request()])
    ((arguments, manifest),) = seen
    assert arguments.training.num_leaves == 7
    assert manifest.hash == "a" * 64
    left = lake.folder / "models@l" / "runs" / "1"
    assert json.loads((left / RESULT).read_text())["bundle_hash"] == checked_hash(left / "bundle")
    assert arguments.data is not None
    assert not arguments.data.exists()


def test_data_that_is_not_in_the_lake_is_brought_for_the_next_run_too(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databricks, "train", trained(tmp_path, []))
    main([request(data="abfss://raw@l/new", fetch=True)])
    assert (lake.folder / "raw@l" / "new" / COMPLETE).read_text() == "a" * 64
    assert list((lake.folder / "raw@l" / "new").glob("dt=*/part-*"))


def test_a_run_that_fails_raises_its_own_sentence_and_leaves_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: LocalRequest, __: Manifest) -> Result:
        raise DatasetError("The label has one class only.")

    monkeypatch.setattr(databricks, "train", fail)
    with pytest.raises(JobFailedError, match=r"^error: The label has one class only\.$"):
        main([request()])
    assert not (lake.folder / "models@l").exists()


@pytest.mark.usefixtures("lake")
def test_what_all_machines_read_and_write_lies_in_the_folder_that_they_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[LocalRequest, Manifest]] = []
    monkeypatch.setattr(databricks, "train", trained(tmp_path, seen))
    monkeypatch.setattr(databricks, "SparkSession", session("spark://10.0.0.1:7077"))
    volume = tmp_path / "volume"
    main([request(work=str(volume))])
    ((arguments, _),) = seen
    assert arguments.data is not None
    assert arguments.work is not None
    assert arguments.output is not None
    (shared,) = {arguments.data.parent, arguments.work.parent}
    assert shared.parent == volume
    assert not arguments.output.is_relative_to(volume)
    assert list(volume.iterdir()) == []


def test_fetched_data_reaches_all_machines_by_the_lake(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databricks, "train", trained(tmp_path, []))
    monkeypatch.setattr(databricks, "SparkSession", session("spark://10.0.0.1:7077"))
    main([request(data="abfss://raw@l/new", fetch=True, work=str(tmp_path / "volume"))])
    assert (lake.folder / "raw@l" / "new" / COMPLETE).is_file()


@pytest.mark.usefixtures("lake")
def test_machines_without_a_folder_that_they_share_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databricks, "SparkSession", session("spark://10.0.0.1:7077"))
    monkeypatch.setattr(databricks, "train", trained(tmp_path, []))
    with pytest.raises(JobFailedError, match="training_workers"):
        main([request()])


def test_dbutils_is_given_a_volume_by_its_own_path() -> None:
    assert databricks._local(Path("/Volumes/c/s/v/data")) == "/Volumes/c/s/v/data"  # noqa: SLF001 - Databricks alone has volumes
    assert databricks._local(Path("/local_disk0/data")) == "file:/local_disk0/data"  # noqa: SLF001 - as above
