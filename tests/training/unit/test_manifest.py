"""A dataset's identity changes exactly when its data does, and files reach the data lake completely or not at all."""

import errno
from pathlib import Path

import pytest
import yaml

from training import datasets
from training.bundle import dataset_hash_of
from training.config import TablesSpec, meaning
from training.datasets import manifest
from training.errors import DatasetError, MissingFileError, SpecError
from training.parameters import CriteoDataset, FilmsDataset, TablesDataset

ROW = "".join("\t".join([label, *["3"] * 13, *["68fd1e64"] * 26]) + "\n" for label in "10")


def criteo(path: Path) -> CriteoDataset:
    return CriteoDataset(kind="criteo", path=str(path))


def test_a_file_is_hashed_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.txt"
    path.write_text(ROW)
    first = manifest.cached_sha256(path)
    with monkeypatch.context() as patched:
        patched.setattr(manifest, "sha256", lambda _: pytest.fail("the file was read again"))
        assert manifest.cached_sha256(path) == first
    path.write_text(ROW.replace("3", "4"))
    assert manifest.cached_sha256(path) != first


def test_fewer_files_than_days_are_refused(tmp_path: Path) -> None:
    for name in ("day_0", "day_1"):
        (tmp_path / name).write_text(ROW)
    asked = criteo(tmp_path).model_copy(update={"days": 3})
    with pytest.raises(SpecError, match=r"`days` asks for the last 3 files of .*, which has 2\. Write `days: 2`"):
        datasets.describe(asked)
    (tmp_path / "day_2").write_text(ROW)
    assert [Path(file.path).name for file in datasets.describe(asked).partitions] == ["day_0", "day_1", "day_2"]


def test_a_copy_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    datasets.materialize(FilmsDataset(), tmp_path / "lake")
    assert list((tmp_path / "lake").iterdir()) == []


@pytest.mark.parametrize("kind", ["criteo", "tables"])
@pytest.mark.parametrize("changed", ["rows", "one file more"])
def test_data_that_changed_since_it_was_planned_is_not_kept(tmp_path: Path, kind: str, changed: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    config = {"interactions": "data", "label": {"column": "hit"}, "categorical": ["user"]}
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(config))
    (data / "day_0.csv").write_text("hit,user\n1,a\n0,b\n" if kind == "tables" else ROW)
    dataset = TablesDataset(kind="tables", spec=tmp_path / "dataset.yaml") if kind == "tables" else criteo(data)
    planned = datasets.describe(dataset)
    with (data / ("day_0.csv" if changed == "rows" else "day_1.csv")).open("a") as stream:
        stream.write(("1,c\n" if changed == "rows" else "hit,user\n1,c\n") if kind == "tables" else ROW)
    with pytest.raises(DatasetError, match=r"changed after it was planned.*Run `up` again"):
        datasets.materialize(dataset, tmp_path / "lake/raw", wanted=planned.hash)
    assert not (tmp_path / "lake").exists()
    now = datasets.describe(dataset)
    datasets.materialize(dataset, tmp_path / "lake/raw", wanted=now.hash)
    assert len(list((tmp_path / "lake/raw/interactions").iterdir())) == len(now.partitions)


def test_a_failed_copy_leaves_nothing_behind(tmp_path: Path) -> None:
    source = tmp_path / "train.txt"
    source.write_text(ROW)
    with pytest.raises(DatasetError, match=r"train\.txt changed while it was copied"):
        copy_of_another_file(source, tmp_path / "lake/raw")
    assert list((tmp_path / "lake").iterdir()) == []


def copy_of_another_file(source: Path, folder: Path) -> None:
    with manifest.written_aside(folder) as aside:
        manifest.copy_checked(source, aside / "part", "0" * 64)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    def write_on_a_full_disk() -> None:
        with manifest.written_aside(tmp_path / "lake/raw"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DatasetError, match=r"lake/raw: .*No space left on device. Free space"):
        write_on_a_full_disk()
    assert list((tmp_path / "lake").iterdir()) == []


@pytest.mark.parametrize("name", ["nothing.txt", "folder"])
def test_a_missing_file_or_an_empty_folder_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(MissingFileError, match=name):
        datasets.describe(criteo(tmp_path / name))


def test_only_what_the_config_says_is_part_of_the_identity() -> None:
    """So an option that a later version brings does not upload and train every dataset again."""
    said = {
        "interactions": {"path": "clicks.csv"},
        "items": {"path": "items.csv", "key": "item"},
        "label": {"column": "hit", "at_least": 4},
        "categorical": [{"column": "genre", "separator": "|"}],
    }
    places = {"interactions": Path("clicks.csv"), "items": Path("items.csv")}
    assert meaning(TablesSpec.model_validate(said), places) == said


def test_versions_of_one_config_have_one_hash_wherever_its_rows_are() -> None:
    said = {"interactions": "monday.csv", "label": {"column": "hit"}, "numeric": ["age"]}

    def hash_of(path: str, seed: int = 1, **changed: object) -> str:
        spec = TablesSpec.model_validate(said | {"interactions": path} | changed)
        return dataset_hash_of(spec, FilmsDataset(seed=seed))

    assert hash_of("monday.csv") == hash_of("/elsewhere/tuesday.csv")
    assert len({hash_of("monday.csv"), hash_of("monday.csv", 2), hash_of("monday.csv", numeric=["age", "year"])}) == 3
    samples = {dataset_hash_of(TablesSpec.model_validate(said), criteo(Path(name))) for name in ("sample", "full")}
    assert len(samples) == 2


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").touch()  # no folder can be made below a file, not even by root
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rows.tsv").write_text("abc")
    found = manifest.local_file(tmp_path / "rows.tsv", "")
    assert found.identity == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180, B.1
