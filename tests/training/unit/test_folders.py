"""Bundles and intermediate files: whole or not at all, and reused by runs on the same inputs only."""

from pathlib import Path

import pytest

from training import work
from training.bundle import publish, written_aside


def test_a_failure_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "model.txt").write_text("former")

    def fail() -> None:
        with written_aside(target):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail()
    assert (target / "model.txt").read_text() == "former"


def test_a_new_folder_takes_the_place_of_the_former(tmp_path: Path) -> None:
    target, new = tmp_path / "bundle", tmp_path / "new"
    for folder, text in ((target, "former"), (new, "new")):
        folder.mkdir()
        (folder / "model.txt").write_text(text)
    publish(new, target)
    assert (target / "model.txt").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def stage(folder: Path, name: str, *, finished: bool) -> None:
    (folder / name).mkdir()
    (folder / name / "part-00000.parquet").touch()
    if finished:
        (folder / name / work.COMPLETE).touch()


def test_a_new_folder_has_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert work.begin(tmp_path / "work", "one") == []
    assert (tmp_path / "work").is_dir()


def test_finished_stages_stay_and_a_half_written_one_goes(tmp_path: Path) -> None:
    work.begin(tmp_path / "work", "one")
    stage(tmp_path / "work", "rows", finished=True)
    stage(tmp_path / "work", "counts", finished=False)
    assert work.begin(tmp_path / "work", "one") == ["rows"]
    assert not (tmp_path / "work" / "counts").exists()


def test_stages_of_other_inputs_go(tmp_path: Path) -> None:
    work.begin(tmp_path / "work", "one")
    stage(tmp_path / "work", "rows", finished=True)
    assert work.begin(tmp_path / "work", "two") == []
    assert not (tmp_path / "work" / "rows").exists()
