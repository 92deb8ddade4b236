"""Intermediate files are reused by runs on the same inputs only."""

from pathlib import Path

from training import work


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
