"""The names under which Spark reads and writes folders."""

from pathlib import Path

from training.spark.paths import to_read, to_write


def test_a_folder_of_this_machine_is_named_as_it_is_and_no_pattern() -> None:
    assert to_write(Path("/data/a b{1}")) == "file:///data/a b{1}"
    assert to_read(Path("/data/a b{1}")) == r"file:///data/a b\{1\}"


def test_a_volume_is_named_without_a_scheme_which_databricks_allows_for_spark() -> None:
    assert to_write(Path("/Volumes/c/training/work/x")) == "/Volumes/c/training/work/x"
    assert to_read(Path("/Volumes/c/training/work/x")) == "/Volumes/c/training/work/x"
